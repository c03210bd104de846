//! Which errors are worth another attempt, and how long all attempts may take.

use std::cell::Cell;
use std::future::pending;
use std::time::Duration;

use cogency_state::{Error, MemoryBackend, StateManager, robust};
use tokio::time::Instant;

use crate::key;

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("busy")]
    Busy,
    #[error("wrong")]
    Wrong,
    #[error(transparent)]
    State(#[from] Error),
}

impl Failure {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Busy)
    }
}

#[robust(persist = manager, retry = 3, backoff = "0ms", retry_if = Failure::is_transient)]
async fn ask(
    state: &mut u32,
    manager: &StateManager,
    user_id: &str,
    tries: &Cell<u32>,
    wrong_at: u32,
) -> Result<u32, Failure> {
    *state += 1;
    tries.set(tries.get() + 1);
    Err(if tries.get() == wrong_at { Failure::Wrong } else { Failure::Busy })
}

#[tokio::test]
async fn only_errors_that_retry_if_accepts_are_tried_again() {
    let manager = StateManager::new(MemoryBackend::new());
    for (wrong_at, due) in [(1, 1), (2, 2), (9, 3)] {
        let tries = Cell::new(0);
        ask(&manager, "alice", &tries, wrong_at).await.unwrap_err();
        assert_eq!(tries.get(), due);
    }
    assert!(manager.load_metadata(&key("alice")).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn retry_if_is_asked_about_time_outs_too() {
    #[robust(retry = 3, backoff = "0ms", timeout = "1s", retry_if = |error| !matches!(error, Failure::State(Error::Timeout { .. })))]
    async fn hangs(tries: &Cell<u32>) -> Result<(), Failure> {
        tries.set(tries.get() + 1);
        pending().await
    }
    let tries = Cell::new(0);
    assert!(matches!(hangs(&tries).await, Err(Failure::State(Error::Timeout { .. }))));
    assert_eq!(tries.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_stops_an_attempt_and_all_that_would_follow() {
    #[robust(retry = 5, backoff = "0ms", timeout = "3s", deadline = "4s")]
    async fn hangs(tries: &Cell<u32>) -> Result<(), Error> {
        tries.set(tries.get() + 1);
        pending().await
    }
    let (tries, begun) = (Cell::new(0), Instant::now());
    let error = hangs(&tries).await.unwrap_err();
    assert!(matches!(error, Error::Deadline { after, .. } if after == Duration::from_secs(4)));
    assert_eq!((tries.get(), begun.elapsed().as_secs()), (2, 4));
}

#[tokio::test(start_paused = true)]
async fn no_pause_is_made_that_the_deadline_would_cut_short() {
    #[robust(retry = 5, backoff = "10s", deadline = "4s")]
    async fn fails(tries: &Cell<u32>) -> Result<(), Failure> {
        tries.set(tries.get() + 1);
        Err(Failure::Busy)
    }
    let (tries, begun) = (Cell::new(0), Instant::now());
    assert!(matches!(fails(&tries).await, Err(Failure::Busy)));
    assert_eq!((tries.get(), begun.elapsed().as_secs()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_a_key_counts_for_the_deadline() {
    #[robust(persist = manager, deadline = "2s")]
    async fn call(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<(), Error> {
        *state += 1;
        Ok(())
    }
    let manager = StateManager::new(MemoryBackend::new());
    let open = manager.begin::<u32>(&key("alice")).await.unwrap();
    let begun = Instant::now();
    let error = call(&manager, "alice").await.unwrap_err();
    assert!(matches!(error, Error::Deadline { .. }), "{error}");
    assert_eq!(begun.elapsed().as_secs(), 2);
    open.rollback().await;
    call(&manager, "alice").await.unwrap();
}
