//! What happens when the LLM changes is one of a few words, or a migration.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "file", llm = "openai/gpt-5", on_llm_change = rest)]
async fn misspelled(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "file", llm = "openai/gpt-5", on_llm_change = "keep")]
async fn in_quotes(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "file", llm = "openai/gpt-5", on_llm_change = migrate)]
async fn without_a_function(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "file", llm = "openai/gpt-5", on_llm_change = migrate(a, b))]
async fn with_two_functions(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
