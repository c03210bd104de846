//! Many workers share agents through Redis. They are killed again and again, and nothing is lost.
//!
//! ```sh
//! redis-server &                  # or name one in COGENCY_REDIS_URL
//! cargo run --example workers
//! ```
//!
//! This file is a whole worker, and [`answer`] all of its agent: read that first. The other file,
//! `boss.rs`, starts workers, hands them questions, kills them, and counts.

mod boss;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use cogency_state::robust;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};

/// Which of a user's conversations this is: those of your own program stay as they are.
const SESSION: &str = "example";

/// What is kept of a user's conversation.
#[derive(Default, Serialize, Deserialize)]
struct Conversation {
    turns: Vec<Turn>,
}

#[derive(Serialize, Deserialize)]
struct Turn {
    id: String,
    question: String,
    answer: String,
}

/// Answers a question, once however often it is asked.
///
/// Whichever worker this runs on, it finds the conversation as the last one left it, and no other
/// touches it meanwhile. A worker that is killed in here leaves no trace.
#[robust(persist = "redis", session = SESSION)]
async fn answer(
    chat: &mut Conversation,
    user_id: &str,
    id: &str,
    question: &str,
) -> Result<String> {
    // A worker may be killed after its answer was saved and before anybody heard it. Then the
    // question comes again.
    if let Some(turn) = chat.turns.iter().find(|turn| turn.id == id) {
        return Ok(turn.answer.clone());
    }
    let answer = think(&chat.turns, question).await;
    let (id, question) = (id.to_owned(), question.to_owned());
    chat.turns.push(Turn { id, question, answer: answer.clone() });
    Ok(answer)
}

/// Takes its time, as a model does.
async fn think(past: &[Turn], question: &str) -> String {
    tokio::time::sleep(Duration::from_millis(100)).await;
    format!("{question} That is question {} of yours.", past.len() + 1)
}

/// A worker: a question comes as a line `<user> <id> <question>`, and its answer goes out as one.
async fn work() -> Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let mut words = line.splitn(3, ' ');
        let mut next = || words.next().context("a line is not `<user> <id> <question>`");
        let (user_id, id, question) = (next()?, next()?, next()?);
        match answer(user_id, id, question).await {
            Ok(answer) => println!("answer {answer}"),
            // Whatever it is, the question may come again: `answer` looks first.
            Err(error) => println!("failed: {error}"),
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let is_worker = env::args().nth(1).as_deref() == Some(boss::WORKER);
    let result = if is_worker { work().await } else { boss::run().await };
    if let Err(error) = result {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
