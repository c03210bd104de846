//! Under `#[async_trait]`, an argument that only the key uses is no unused variable.
#![deny(warnings)]
use cogency_state::{Error, robust};

#[async_trait::async_trait]
trait Chat {
    async fn once(&self, user_id: String) -> Result<u32, Error>;
    async fn again(&self, user_id: String) -> Result<u32, Error>;
}

struct Agent;

#[async_trait::async_trait]
impl Chat for Agent {
    #[robust(persist = "memory")]
    async fn once(&self, state: &mut u32, user_id: String) -> Result<u32, Error> {
        *state += 1;
        Ok(*state)
    }

    #[robust(persist = "memory", retry = 2)]
    async fn again(&self, state: &mut u32, user_id: String) -> Result<u32, Error> {
        *state += 1;
        Ok(*state)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_eq!(Agent.once("alice".into()).await.unwrap(), 1);
    assert_eq!(Agent.again("alice".into()).await.unwrap(), 2);
}
