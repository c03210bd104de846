//! One mistake is one message, although nothing but the key uses `user_id` and `topic`.
use cogency_state::{Error, robust};

#[robust(persist = "fiel", session = topic)]
async fn chat(state: &mut u32, user_id: &str, topic: String) -> Result<u32, Error> {
    Ok(*state)
}

struct Agent;

impl Agent {
    #[robust(persist = "memory", key = name, rety = 3)]
    async fn chat(&self, state: &mut u32, name: String) -> Result<u32, Error> {
        Ok(*state)
    }
}

#[async_trait::async_trait]
trait Chat {
    async fn chat(&self, user_id: String) -> Result<u32, Error>;
}

#[async_trait::async_trait]
impl Chat for Agent {
    #[robust(persist = "memory", retry = 0)]
    async fn chat(&self, state: &mut u32, user_id: String) -> Result<u32, Error> {
        Ok(*state)
    }
}

fn main() {}
