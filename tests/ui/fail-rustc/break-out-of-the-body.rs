//! The body is not inside the loop of the attempts.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory", retry = 2)]
async fn chat(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    break;
}

fn main() {}
