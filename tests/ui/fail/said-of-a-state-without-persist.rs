//! Without `persist` there is no state to say something of.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(
    retry = 2,
    llm = "openai/gpt-5",
    on_llm_change = keep,
    llm_match = provider,
    on_unreadable = quarantine,
    phase = "reasoning",
    actor = "operator",
    metadata = { "team": "blue" },
)]
async fn ask(user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
