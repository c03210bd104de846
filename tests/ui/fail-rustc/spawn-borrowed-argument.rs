//! A spawned call owns its arguments.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn chat(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn spawn(user_id: String) {
    tokio::spawn(chat(&user_id));
}

fn main() {}
