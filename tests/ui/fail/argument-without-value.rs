//! Each argument has a value.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(retry, timeout = , persist)]
async fn chat(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
