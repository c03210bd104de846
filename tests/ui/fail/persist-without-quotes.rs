//! A backend's name stands in quotes.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = file)]
async fn chat(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
