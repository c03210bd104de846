//! Durations have a unit that is known.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(timeout = "30")]
async fn no_unit() -> Result<(), Error> {
    Ok(())
}

#[robust(timeout = "30 parsecs")]
async fn no_time() -> Result<(), Error> {
    Ok(())
}

#[robust(timeout = "")]
async fn empty() -> Result<(), Error> {
    Ok(())
}

#[robust(timeout = "-1s")]
async fn negative() -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "memory", ttl = "7 dys")]
async fn misspelled(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
