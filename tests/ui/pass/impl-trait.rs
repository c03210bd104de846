//! `impl Trait` as an argument and inside the return type.
use std::fmt::Display;

use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn add(
    state: &mut Vec<String>,
    user_id: impl Display,
    query: impl Into<String>,
) -> Result<impl Iterator<Item = usize>, Error> {
    state.push(query.into());
    if state.len() > 100 {
        return Ok(Vec::new().into_iter());
    }
    Ok(state.iter().map(String::len).collect::<Vec<_>>().into_iter())
}

#[robust(persist = "memory", retry = 2, backoff = "1ms")]
async fn again(
    state: &mut usize,
    user_id: &impl Display,
    query: impl Into<String> + Clone,
) -> Result<impl Display, Error> {
    *state += query.into().len();
    Ok(*state)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    assert_eq!(add("alice", "hello").await?.sum::<usize>(), 5);
    assert_eq!(add(1, 'x').await?.sum::<usize>(), 1);
    assert_eq!(again(&2, "four").await?.to_string(), "4");
    Ok(())
}
