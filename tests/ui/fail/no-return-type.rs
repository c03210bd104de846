//! Loading and saving can fail, so the function can.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn chat(state: &mut u32, user_id: &str) {
    *state += 1;
}

fn main() {}
