//! The state is there to be changed.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn chat(state: &u32, user_id: &str) -> Result<u32, Error> {
    Ok(*state)
}

fn main() {}
