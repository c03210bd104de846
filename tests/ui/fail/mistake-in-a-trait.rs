//! After a mistake, the function is still there in its public shape: one message.
#![allow(unused)]
use cogency_state::{Error, robust};

trait Agent {
    async fn chat(&self, user_id: &str) -> Result<usize, Error>;
}

struct Bot;

impl Agent for Bot {
    #[robust(persist = "memory", timeout = "0s")]
    async fn chat(&self, state: &mut Vec<String>, user_id: &str) -> Result<usize, Error> {
        state.push(user_id.to_owned());
        Ok(state.len())
    }
}

fn main() {}
