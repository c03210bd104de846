//! `timeout` stops an attempt, whose changes are gone; the next one has the whole time again.
use std::cell::Cell;
use std::time::Duration;

use cogency_state::{Error, robust};

#[robust(persist = "memory", retry = 3, backoff = "1ms", timeout = "100ms")]
async fn slow(state: &mut u32, user_id: &str, delays: &Cell<Option<u64>>) -> Result<u32, Error> {
    *state += 1;
    if let Some(delay) = delays.take() {
        tokio::time::sleep(Duration::from_secs(delay)).await;
    }
    Ok(*state)
}

#[robust(persist = "memory", timeout = "10ms")]
async fn stuck(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    std::future::pending().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    assert!(matches!(stuck("alice").await, Err(Error::Timeout { .. })));
    assert_eq!(slow("alice", &Cell::new(Some(60))).await?, 1);
    Ok(())
}
