//! A failed attempt's changes are gone before the next one starts, and after the last one.
use std::cell::Cell;

use cogency_state::{Error, robust};

#[robust(persist = "memory", retry = 3, backoff = "1ms")]
async fn push(state: &mut Vec<u32>, user_id: &str, fails: &Cell<u32>) -> Result<Vec<u32>, Error> {
    state.push(fails.get());
    if fails.get() > 0 {
        fails.set(fails.get() - 1);
        return Err(Error::NoRuntime);
    }
    Ok(state.clone())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_eq!(push("alice", &Cell::new(2)).await.unwrap(), [0]);
    assert!(push("alice", &Cell::new(3)).await.is_err());
    assert_eq!(push("alice", &Cell::new(0)).await.unwrap(), [0, 0]);
}
