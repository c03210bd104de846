//! The key says which state to load: it cannot depend on it.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory", key = state)]
async fn chat(state: &mut u32) -> Result<(), Error> {
    Ok(())
}

fn main() {}
