//! A backend that does not exist.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "mongo")]
async fn chat(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "")]
async fn empty(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
