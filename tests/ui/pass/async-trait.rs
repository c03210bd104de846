//! `#[async_trait]` expands first, and leaves a boxed future as the body.
use std::sync::Arc;

use async_trait::async_trait;
use cogency_state::{Error, robust};

#[async_trait]
trait Agent: Send + Sync {
    async fn ask(&self, user_id: &str, query: String) -> Result<usize, Error>;
    async fn again(&self, user_id: &str, mut_query: String, pair: (u8, u8)) -> Result<u8, Error>;
    async fn own(self: Arc<Self>, user_id: &str) -> Result<u8, Error>;

    #[robust(persist = "memory", session = "default method")]
    async fn default(&self, state: &mut u8, user_id: &str) -> Result<u8, Error> {
        *state += 1;
        Ok(*state)
    }
}

struct Bot(u8);

#[async_trait]
impl Agent for Bot {
    #[robust(persist = "memory", session = "ask")]
    async fn ask(&self, state: &mut Vec<String>, user_id: &str, query: String) -> Result<usize, Error> {
        if query.is_empty() {
            return Err(Error::NoRuntime);
        }
        state.push(query);
        Ok(state.len() + usize::from(self.0))
    }

    #[robust(persist = "memory", session = format!("again {}", self.0), retry = 2, backoff = "1ms")]
    async fn again(
        &self,
        state: &mut u8,
        user_id: &str,
        mut mut_query: String,
        (left, right): (u8, u8),
    ) -> Result<u8, Error> {
        mut_query.push('!');
        let length: u8 = mut_query.len().try_into().map_err(|_| Error::NoRuntime)?;
        *state += length + left + right;
        Ok(*state)
    }

    #[robust(persist = "memory", session = "own")]
    async fn own(self: Arc<Self>, state: &mut u8, user_id: &str) -> Result<u8, Error> {
        *state += self.0;
        Ok(*state)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let bot: Arc<dyn Agent> = Arc::new(Bot(1));
    assert_eq!(bot.ask("alice", "one".to_owned()).await?, 2);
    assert!(bot.ask("alice", String::new()).await.is_err());
    assert_eq!(bot.ask("alice", "two".to_owned()).await?, 3);
    assert_eq!(bot.again("alice", "x".to_owned(), (1, 2)).await?, 5);
    assert_eq!(bot.default("alice").await?, 1);
    assert_eq!(tokio::spawn(async move { bot.own("alice").await }).await.unwrap()?, 1);
    Ok(())
}
