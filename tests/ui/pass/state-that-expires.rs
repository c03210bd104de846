//! A `ttl` lets the state expire that long after its last save; the function's counts more than
//! the manager's.
use std::time::Duration;

use cogency_state::{Error, MemoryBackend, StateManager, robust};

#[robust(persist = manager, ttl = "300ms")]
async fn soon(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[robust(persist = manager, ttl = "2w 1d")]
async fn late(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let hour = Duration::from_secs(60 * 60);
    let manager = StateManager::builder(MemoryBackend::new()).ttl(hour).build();
    assert_eq!(soon(&manager, "alice").await?, 1);
    assert_eq!(late(&manager, "bob").await?, 1);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(soon(&manager, "alice").await?, 1);
    assert_eq!(late(&manager, "bob").await?, 2);
    Ok(())
}
