//! A phase is a name.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "file", phase = reasoning)]
async fn not_in_quotes(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "file", phase = "")]
async fn without_a_name(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
