//! `#[instrument]` below: one span for the call, which does not know the state. Inside
//! `#[async_trait]` too.
use async_trait::async_trait;
use cogency_state::{Error, robust};
use tracing::instrument;

#[robust(persist = "memory", retry = 2, backoff = "1ms")]
#[instrument(skip(query), ret, err)]
async fn chat(state: &mut Vec<String>, user_id: &str, query: String) -> Result<usize, Error> {
    state.push(query);
    Ok(state.len())
}

#[async_trait]
trait Agent {
    async fn above(&self, user_id: &str) -> Result<u8, Error>;
    async fn below(&self, user_id: &str) -> Result<u8, Error>;
}

struct Bot;

#[async_trait]
impl Agent for Bot {
    #[instrument(skip(self, state))]
    #[robust(persist = "memory", session = "bot", retry = 2)]
    async fn above(&self, state: &mut u8, user_id: &str) -> Result<u8, Error> {
        *state += 1;
        Ok(*state)
    }

    #[robust(persist = "memory", session = "bot", retry = 2)]
    #[instrument(skip(self))]
    async fn below(&self, state: &mut u8, user_id: &str) -> Result<u8, Error> {
        *state += 1;
        Ok(*state)
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    assert_eq!(chat("alice", "one".to_owned()).await?, 1);
    assert_eq!(Bot.above("alice").await?, 1);
    assert_eq!(Bot.below("alice").await?, 2);
    Ok(())
}
