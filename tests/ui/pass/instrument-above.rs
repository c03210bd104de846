//! `#[instrument]` above: it expands first, and makes a span for each attempt.
use cogency_state::{Error, robust};
use tracing::instrument;

#[instrument(skip(state, query), fields(turn = state.len()), err)]
#[robust(persist = "memory", retry = 2, backoff = "1ms")]
async fn chat(state: &mut Vec<String>, user_id: &str, query: String) -> Result<usize, Error> {
    if query.is_empty() {
        return Err(Error::NoRuntime);
    }
    state.push(query);
    Ok(state.len())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    assert_eq!(tokio::spawn(chat("alice", "one".to_owned())).await.unwrap()?, 1);
    assert!(chat("alice", String::new()).await.is_err());
    assert_eq!(chat("alice", "two".to_owned()).await?, 2);
    Ok(())
}
