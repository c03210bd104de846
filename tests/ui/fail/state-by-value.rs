//! The state is borrowed: it is saved after the body.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn chat(state: Vec<u32>, user_id: &str) -> Result<usize, Error> {
    Ok(state.len())
}

async fn caller() -> Result<usize, Error> {
    chat("alice").await
}

fn main() {}
