//! The agent: what it remembers, and one turn of it.

use std::time::Duration;

use cogency_state::{Error, StateManager, robust};
use serde::{Deserialize, Serialize};

/// What is kept of a conversation.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Conversation {
    pub(crate) turns: Vec<Turn>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub(crate) question: String,
    pub(crate) answer: String,
}

/// One turn of a conversation. Turns of one session run one after the other, whatever server they
/// come to. A client that goes away before its answer drops the turn, and nothing has changed.
#[robust(persist = manager, session = session, wait = "20s", deadline = "60s")]
pub(crate) async fn turn(
    chat: &mut Conversation,
    manager: &StateManager,
    user_id: &str,
    session: &str,
    question: &str,
    thinks: Duration,
) -> Result<Turn, Error> {
    let answer = think(chat.turns.len() + 1, question, thinks).await;
    let turn = Turn { question: question.to_owned(), answer };
    chat.turns.push(turn.clone());
    Ok(turn)
}

/// In place of a model, which takes its time.
async fn think(number: usize, question: &str, thinks: Duration) -> String {
    tokio::time::sleep(thinks).await;
    let words = question.split_whitespace().count();
    format!("That was question {number}, of {words} words.")
}
