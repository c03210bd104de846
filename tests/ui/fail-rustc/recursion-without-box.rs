//! Recursion needs `Box::pin`, as in any async function.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory", session = depth)]
async fn descend(state: &mut u32, user_id: &str, depth: u32) -> Result<u32, Error> {
    if depth > 0 {
        descend(user_id, depth - 1).await?;
    }
    Ok(*state)
}

fn main() {}
