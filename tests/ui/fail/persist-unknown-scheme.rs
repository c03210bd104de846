//! A URL that no backend has. The message does not repeat it: it may hold a password.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "mongodb://user:secret@host/agents")]
async fn chat(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
