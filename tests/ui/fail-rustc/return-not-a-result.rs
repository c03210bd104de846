//! The function can fail.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn chat(state: &mut u32, user_id: &str) -> u32 {
    *state
}

fn main() {}
