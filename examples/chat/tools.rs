//! What the agent can do besides talking: calculate, and keep notes.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use cogency_state::{StateKey, StateManager, robust};
use fend_core::Interrupt;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::plural;

/// What a model can ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ToolCall {
    Calculate { expression: String },
    TakeNote { text: String },
    ListNotes {},
}

/// Uses a tool. What a calculator cannot make sense of is a result too: the model may know better.
pub(crate) async fn run(user_id: &str, call: &ToolCall) -> Result<String> {
    match call {
        ToolCall::Calculate { expression } => {
            let result = calculate(expression.clone()).await;
            Ok(result.unwrap_or_else(|error| format!("error: {error}")))
        }
        ToolCall::TakeNote { text } => take_note(user_id, text).await,
        ToolCall::ListNotes {} => {
            let notes = notes(user_id).await?;
            let lines = notes.iter().map(|note| format!("\n- {note}"));
            Ok(format!("{}{}", plural(notes.len(), "note"), lines.collect::<String>()))
        }
    }
}

/// The notes of a user: a state of its own, in a file of its own, for all their conversations.
#[derive(Default, Serialize, Deserialize)]
struct Notes {
    notes: Vec<String>,
}

/// The session of that state. Each type of state needs keys of its own.
const NOTES: &str = "notes";

/// Adds a note.
///
/// The note stays when the turn fails after this, and the question may be asked again. What acts
/// on the world should stand being done twice: here, the same note is kept once.
#[robust(persist = "file", session = NOTES)]
async fn take_note(state: &mut Notes, user_id: &str, text: &str) -> Result<String> {
    if !state.notes.iter().any(|note| note == text) {
        state.notes.push(text.to_owned());
    }
    Ok(format!("Noted. You have {} now.", plural(state.notes.len(), "note")))
}

pub(crate) async fn notes(user_id: &str) -> Result<Vec<String>> {
    let key = StateKey::new(user_id, NOTES)?;
    let notes = StateManager::shared("file")?.load_state::<Notes>(&key).await?;
    Ok(notes.map(|notes| notes.state.notes).unwrap_or_default())
}

/// Deletes all states of a user; gives how many there were.
pub(crate) async fn forget(user_id: &str) -> Result<usize> {
    let states = StateManager::shared("file")?;
    let keys = states.list_states(user_id).await?;
    for key in &keys {
        states.delete_state(key).await?;
    }
    Ok(keys.len())
}

/// The longest expression, in bytes.
const MAX_EXPRESSION: usize = 100;
/// The most parentheses that open in one.
const MAX_PARENTHESES: usize = 8;
/// The longest that a calculation may take.
const MAX_CALCULATION: Duration = Duration::from_secs(1);
/// The evaluator is recursive. Only what is used of this is allocated.
const EVALUATOR_STACK: usize = 16 << 20;

/// The exact value of an arithmetic expression. It comes from a model, so it is not trusted.
async fn calculate(expression: String) -> Result<String> {
    ensure!(expression.len() <= MAX_EXPRESSION, "give at most {MAX_EXPRESSION} characters");
    ensure!(
        expression.chars().all(|c| c.is_ascii_digit() || " +-*/^%().".contains(c)),
        "only digits and + - * / ^ % ( ) . are understood"
    );
    ensure!(
        expression.matches('(').count() <= MAX_PARENTHESES,
        "give at most {MAX_PARENTHESES} pairs of parentheses"
    );
    // Not on the runtime's threads: they have other work, and small stacks.
    let (done, result) = oneshot::channel();
    thread::Builder::new().stack_size(EVALUATOR_STACK).spawn(move || {
        // Whoever asked may have given up.
        let _ = done.send(evaluate(&expression));
    })?;
    result.await?.map_err(|reason| anyhow!(reason))
}

fn evaluate(expression: &str) -> Result<String, String> {
    struct Deadline(Instant);
    impl Interrupt for Deadline {
        fn should_interrupt(&self) -> bool {
            Instant::now() > self.0
        }
    }
    let deadline = Deadline(Instant::now() + MAX_CALCULATION);
    let mut context = fend_core::Context::new();
    match fend_core::evaluate_with_interrupt(expression, &mut context, &deadline) {
        Ok(result) => Ok(result.get_main_result().to_owned()),
        Err(_) if deadline.should_interrupt() => Err(format!("it takes over {MAX_CALCULATION:?}")),
        Err(reason) => Err(reason),
    }
}
