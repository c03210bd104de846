//! Callers do not see the state.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn chat(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    Ok(*state)
}

async fn caller() -> Result<u32, Error> {
    chat(&mut 0, "alice").await
}

fn main() {}
