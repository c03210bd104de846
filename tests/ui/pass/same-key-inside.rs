//! The same key again inside the body is an error at once, never a deadlock; through `spawn`, the
//! wait for the lease ends.
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn outer(state: &mut u32, user_id: &str, session: &str) -> Result<u32, Error> {
    *state += 1;
    inner(user_id, session).await
}

#[robust(persist = "memory", session = session, wait = "50ms")]
async fn inner(state: &mut u32, user_id: &str, session: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[robust(persist = "memory")]
async fn spawning(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    tokio::spawn(inner("alice", "default")).await.unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert!(matches!(outer("alice", "default").await, Err(Error::Reentrant { .. })));
    assert_eq!(outer("alice", "another").await.unwrap(), 1);
    assert!(matches!(spawning("alice").await, Err(Error::LeaseTimeout { .. })));
    assert_eq!(inner("alice", "default").await.unwrap(), 2);
}
