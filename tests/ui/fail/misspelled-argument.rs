//! A misspelled argument counts as the one that was meant, so that it makes one message.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persit = "memory", session = user_id)]
async fn chat(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    Ok(*state)
}

#[robust(retries = 3, backoff = "1s")]
async fn again() -> Result<(), Error> {
    Ok(())
}

#[robust(time_out = "1s")]
async fn slow() -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "memory", tll = "7d")]
async fn brief(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    Ok(*state)
}

async fn callers() -> Result<u32, Error> {
    again().await?;
    chat("alice").await
}

fn main() {}
