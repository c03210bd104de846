//! A state that expires at once would never be seen again.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory", ttl = "0d")]
async fn chat(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
