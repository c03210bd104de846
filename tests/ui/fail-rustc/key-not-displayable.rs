//! The halves of a key can be shown as text.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn user(state: &mut u32, user_id: Option<u32>) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "memory", session = vec![1])]
async fn session(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
