//! `persist` takes a literal or a manager.
#![allow(unused)]
use cogency_state::{Error, robust};

const URL: &str = "file:data/agents";

#[robust(persist = URL)]
async fn chat(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
