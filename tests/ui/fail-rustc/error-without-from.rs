//! The error type can be made from the library's.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn chat(state: &mut u32, user_id: &str) -> Result<(), String> {
    Ok(())
}

fn main() {}
