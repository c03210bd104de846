//! The state is saved when the body ends: nothing can borrow from it.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn chat(state: &mut Vec<String>, user_id: &str) -> Result<&str, Error> {
    Ok(&state[0])
}

fn main() {}
