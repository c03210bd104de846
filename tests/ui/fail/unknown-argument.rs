//! An argument that does not exist.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory", colour = "red")]
async fn chat(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
