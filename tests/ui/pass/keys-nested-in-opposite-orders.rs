//! Two calls that each hold the key which the other one wants end in a bounded wait.
use std::sync::Arc;

use cogency_state::{Error, robust};
use tokio::sync::Barrier;

#[robust(persist = "memory", key = first)]
async fn outer(
    state: &mut u32,
    first: &'static str,
    second: &'static str,
    both_hold: Arc<Barrier>,
) -> Result<u32, Error> {
    both_hold.wait().await;
    *state += inner(second).await?;
    Ok(*state)
}

#[robust(persist = "memory", key = name, wait = "100ms")]
async fn inner(state: &mut u32, name: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[tokio::main]
async fn main() {
    let both_hold = Arc::new(Barrier::new(2));
    let one = tokio::spawn(outer("alice", "bob", Arc::clone(&both_hold)));
    let other = tokio::spawn(outer("bob", "alice", both_hold));
    let ends = [one.await.unwrap(), other.await.unwrap()];
    assert!(ends.iter().any(|end| matches!(end, Err(Error::LeaseTimeout { .. }))));
    assert!(inner("alice").await.is_ok() && inner("bob").await.is_ok());
}
