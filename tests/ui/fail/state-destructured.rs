//! The state is taken apart in the body.
#![allow(unused)]
use cogency_state::{Error, robust};

struct Chat {
    turns: Vec<String>,
}

#[robust(persist = "memory")]
async fn chat(Chat { turns }: &mut Chat, user_id: &str) -> Result<usize, Error> {
    Ok(turns.len())
}

fn main() {}
