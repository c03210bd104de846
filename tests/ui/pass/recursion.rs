//! Recursion needs `Box::pin`, as in any async function, and a key of its own for each level.
use cogency_state::{Error, robust};

#[robust(persist = "memory", session = depth)]
async fn descend(state: &mut u32, user_id: &str, depth: u32) -> Result<u32, Error> {
    *state += 1;
    if depth == 0 {
        return Ok(*state);
    }
    Ok(*state + Box::pin(descend(user_id, depth - 1)).await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    assert_eq!(descend("alice", 3).await?, 4);
    assert_eq!(descend("alice", 3).await?, 8);
    Ok(())
}
