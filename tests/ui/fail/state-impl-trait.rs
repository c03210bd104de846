//! What is loaded has a type with a name.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn chat(state: &mut impl Default, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
