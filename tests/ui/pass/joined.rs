//! `join!` of calls on several keys, and on one key, which run one after the other.
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn count(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    let before = *state;
    tokio::task::yield_now().await;
    *state = before + 1;
    Ok(*state)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let (alice, bob) = tokio::join!(count("alice"), count("bob"));
    assert_eq!((alice?, bob?), (1, 1));
    let (one, two) = tokio::join!(count("alice"), count("alice"));
    assert_eq!(one? + two?, 2 + 3);
    Ok(())
}
