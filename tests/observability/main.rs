//! What can be seen of calls from outside: spans and events, counters and histograms.

mod meters;
mod spans;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cogency_state::{Error, StateManager, robust};
use serde::{Deserialize, Serialize};

/// What no span, event or label may hold.
const SECRET: &str = "hunter2";

#[derive(Default, Serialize, Deserialize)]
struct Chat {
    turns: Vec<String>,
}

/// What a body does.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    Succeed,
    Fail,
    FailOnce,
    Panic,
    Sleep,
}

#[derive(Debug)]
enum Problem {
    State,
    /// Its text is a state's contents.
    Own(String),
}

impl From<Error> for Problem {
    fn from(_: Error) -> Self {
        Self::State
    }
}

#[robust(persist = manager, retry = 2, backoff = "1ms", timeout = "20s", wait = "20s")]
async fn chat(
    state: &mut Chat,
    manager: &StateManager,
    user_id: &str,
    does: Does,
    attempts: &AtomicU32,
) -> Result<usize, Problem> {
    state.turns.push(SECRET.to_owned());
    let attempt = attempts.fetch_add(1, Ordering::Relaxed);
    match does {
        Does::Succeed => {}
        Does::FailOnce if attempt > 0 => {}
        Does::Fail | Does::FailOnce => return Err(Problem::Own(SECRET.to_owned())),
        Does::Panic => panic!("{SECRET}"),
        Does::Sleep => tokio::time::sleep(Duration::from_secs(3600)).await,
    }
    Ok(state.turns.len())
}

async fn call(manager: &StateManager, user_id: &str, does: Does) -> Result<usize, Problem> {
    chat(manager, user_id, does, &AtomicU32::default()).await
}

/// A call without a state.
#[robust(retry = 2, backoff = "1ms")]
async fn think() -> Result<(), Error> {
    Ok(())
}
