//! The same key again inside the body is an error at once, never a deadlock.
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn outer(state: &mut u32, user_id: &str, session: &str) -> Result<u32, Error> {
    *state += 1;
    inner(user_id, session).await
}

#[robust(persist = "memory", session = session)]
async fn inner(state: &mut u32, user_id: &str, session: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert!(matches!(outer("alice", "default").await, Err(Error::Reentrant { .. })));
    assert_eq!(outer("alice", "another").await.unwrap(), 1);
}
