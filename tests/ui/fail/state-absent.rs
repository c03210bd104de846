//! With `persist`, the first parameter is the state.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn chat(user_id: &str, query: String) -> Result<String, Error> {
    Ok(query)
}

#[robust(persist = "memory", key = 7)]
async fn none() -> Result<(), Error> {
    Ok(())
}

struct Agent;

impl Agent {
    #[robust(persist = "memory", key = 7)]
    async fn only_self(&self) -> Result<(), Error> {
        Ok(())
    }
}

fn main() {}
