//! A ttl is text, as every duration.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory", ttl = 7)]
async fn number(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "memory", ttl)]
async fn nothing(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
