//! A state is written as JSON.
#![allow(unused)]
use cogency_state::{Error, robust};

#[derive(Default, serde::Deserialize)]
struct Chat(u32);

#[robust(persist = "memory")]
async fn chat(state: &mut Chat, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
