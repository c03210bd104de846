//! The state comes first.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn chat(user_id: &str, state: &mut u32) -> Result<u32, Error> {
    Ok(*state)
}

async fn caller() -> Result<u32, Error> {
    chat("alice").await
}

fn main() {}
