//! A migration is one of the state.
#![allow(unused)]
use cogency_state::{Error, LlmChange, robust};

fn to_another(state: &mut String, change: &LlmChange) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "file", llm = "openai/gpt-5", on_llm_change = migrate(to_another))]
async fn count(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
