//! The attribute stands on async functions.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
fn chat(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    Ok(*state)
}

#[robust(retry = 2)]
fn future() -> impl Future<Output = Result<(), Error>> {
    async { Ok(()) }
}

fn main() {}
