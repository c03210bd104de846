//! `llm` takes a text or what implements `Llm`.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "file", llm = 5)]
async fn count(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
