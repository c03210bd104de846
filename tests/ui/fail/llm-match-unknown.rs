//! When two LLMs are the same is one of a few words.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "file", llm = "openai/gpt-5", llm_match = providers)]
async fn misspelled(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "file", llm = "openai/gpt-5", llm_match = 1)]
async fn not_a_word(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
