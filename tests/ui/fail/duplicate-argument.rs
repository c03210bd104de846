//! Each argument once.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(retry = 2, timeout = "1s", retry = 3)]
async fn chat() -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "memory", persist = "file")]
async fn kept(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
