//! Runs to ask about.

use cogency_state::{DatabaseBackend, Error, StateKey, StateManager};
use serde::{Deserialize, Serialize};

/// What an agent leaves.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) turns: Vec<String>,
    pub(crate) stop_reason: Option<String>,
    pub(crate) cents: u32,
}

/// User, run, model, why it stopped, the last turn, what it cost.
const RUNS: [(&str, &str, &str, &str, &str, u32); 6] = [
    ("alice", "invoices", "openai/gpt-5", "error", "the tool `pay` answered 503", 41),
    ("alice", "holiday plans", "openai/gpt-5", "done", "Your flights are booked.", 12),
    ("alice", "tax report", "openai/gpt-5", "error", "no answer within 30 seconds", 230),
    ("alice", "recipes", "anthropic/claude-5", "error", "the tool `oven` does not exist", 3),
    ("bob", "invoices", "openai/gpt-5", "error", "the tool `pay` answered 503", 17),
    ("bob", "garden", "anthropic/claude-5", "done", "Water them on Friday.", 5),
];

/// Makes these runs where there are none yet, as agents that use such models would.
pub(crate) async fn make_up(backend: &DatabaseBackend) -> Result<(), Error> {
    for (user, session, llm, stop_reason, last, cents) in RUNS {
        let manager = StateManager::builder(backend.clone()).llm(llm).build();
        let key = StateKey::new(user, session)?;
        if manager.load_metadata(&key).await?.is_some() {
            continue;
        }
        turn(&manager, &key, |run| run.turns.push("Let me see.".to_owned())).await?;
        turn(&manager, &key, |run| {
            run.turns.push(last.to_owned());
            run.stop_reason = Some(stop_reason.to_owned());
            run.cents = cents;
        })
        .await?;
    }
    Ok(())
}

async fn turn(
    manager: &StateManager,
    key: &StateKey,
    body: impl FnOnce(&mut Run),
) -> Result<(), Error> {
    let mut call = manager.begin::<Run>(key).await?;
    body(&mut call.state);
    call.commit().await.map(drop)
}
