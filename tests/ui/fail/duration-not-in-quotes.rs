//! Durations are strings with a unit.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(timeout = 30)]
async fn number() -> Result<(), Error> {
    Ok(())
}

#[robust(retry = 2, backoff = std::time::Duration::from_secs(1))]
async fn expression() -> Result<(), Error> {
    Ok(())
}

#[robust(timeout = 30s)]
async fn suffix() -> Result<(), Error> {
    Ok(())
}

fn main() {}
