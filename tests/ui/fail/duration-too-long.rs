//! A time beyond all reason is a wrong unit.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(timeout = "31days")]
async fn timeout() -> Result<(), Error> {
    Ok(())
}

#[robust(retry = 2, backoff = "1000years")]
async fn backoff() -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "memory", wait = "99999999999999years")]
async fn wait(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "memory", ttl = "101years")]
async fn ttl(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
