//! The first parameter is the state, whatever its name.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn chat(user_id: &mut String) -> Result<(), Error> {
    Ok(())
}

fn main() {}
