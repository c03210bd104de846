//! A state begins as its default.
#![allow(unused)]
use cogency_state::{Error, robust};

#[derive(serde::Serialize, serde::Deserialize)]
struct Chat(u32);

#[robust(persist = "memory")]
async fn chat(state: &mut Chat, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
