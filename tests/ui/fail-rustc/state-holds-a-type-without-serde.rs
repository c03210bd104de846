//! What a state holds is stored with it: the message names the type that lacks the derives.
#![allow(unused)]
use cogency_state::{Error, robust};

struct Turn(u32);

#[robust(persist = "memory")]
async fn chat(state: &mut Vec<Turn>, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
