//! One message for each trait that is missing.
#![allow(unused)]
use cogency_state::{Error, robust};

struct Chat(u32);

#[robust(persist = "memory", retry = 2)]
async fn chat(state: &mut Chat, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
