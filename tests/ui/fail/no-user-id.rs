//! Without a parameter `user_id` or `key`, nothing says whose state it is.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn chat(state: &mut u32, user: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
