//! `?` converts as in any function, and an attempt that it ends is a failed one.
use cogency_state::{Error, robust};

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    State(#[from] Error),
    #[error("not a number")]
    Number(#[from] std::num::ParseIntError),
}

#[robust(persist = "memory")]
async fn add(state: &mut i64, user_id: &str, number: &str) -> Result<i64, Failure> {
    *state += 1000;
    let number: i64 = number.parse()?;
    *state += number - 1000;
    Ok(*state)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_eq!(add("alice", "2").await.unwrap(), 2);
    assert!(matches!(add("alice", "two").await, Err(Failure::Number(_))));
    assert_eq!(add("alice", "3").await.unwrap(), 5);
    assert!(matches!(add("", "3").await, Err(Failure::State(Error::InvalidKey { .. }))));
}
