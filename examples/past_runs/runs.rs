//! Runs to ask about.

use cogency_state::{
    DatabaseBackend, Holder, LeaseAttempt, Metadata, Record, Revision, StateBackend, StateKey,
    Write,
};
use serde::{Deserialize, Serialize};

/// What an agent leaves.
#[derive(Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) turns: Vec<String>,
    pub(crate) stop_reason: String,
    pub(crate) cents: u32,
}

/// User, run, model, why it stopped, the last turn, what it cost.
const RUNS: [(&str, &str, &str, &str, &str, u32); 6] = [
    ("alice", "invoices", "gpt-5", "error", "the tool `pay` answered 503", 41),
    ("alice", "holiday plans", "gpt-5", "done", "Your flights are booked.", 12),
    ("alice", "tax report", "gpt-5", "error", "no answer within 30 seconds", 230),
    ("alice", "recipes", "claude-5", "error", "the tool `oven` does not exist", 3),
    ("bob", "invoices", "gpt-5", "error", "the tool `pay` answered 503", 17),
    ("bob", "garden", "claude-5", "done", "Water them on Friday.", 5),
];

/// Saves these runs where there are none yet, as agents that use such models would.
pub(crate) async fn make_up(backend: &DatabaseBackend) -> Result<(), cogency_state::Error> {
    for (user, session, model, stop_reason, last, cents) in RUNS {
        let key = StateKey::new(user, session)?;
        let turns = vec!["Let me see.".to_owned(), last.to_owned()];
        let run = Run { turns, stop_reason: stop_reason.to_owned(), cents };
        save_first(backend, key, model, &run).await?;
    }
    Ok(())
}

async fn save_first(
    backend: &DatabaseBackend,
    key: StateKey,
    model: &'static str,
    run: &Run,
) -> Result<(), cogency_state::Error> {
    if backend.load_state(&key).await?.is_some() {
        return Ok(());
    }
    let LeaseAttempt::Acquired(lease) = backend.acquire_lease(&key, &Holder::current()).await?
    else {
        // Somebody else is at it.
        return Ok(());
    };
    let mut metadata = Metadata::now();
    metadata.llm_provider = if model.starts_with("gpt") { "openai" } else { "anthropic" }.into();
    metadata.llm_model = model.into();
    let state = serde_json::to_vec(run);
    let state = state.map_err(|error| {
        cogency_state::Error::backend(Some(&key), "the example", "write the run of", error)
    })?;
    let state_type = Some(std::any::type_name::<Run>().into());
    let record = Record::new(key, Revision::after(None), state_type, metadata, state.into());
    backend.save_and_release(&lease, &Write::new(record, None)).await
}
