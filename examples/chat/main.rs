//! A chat agent that remembers. Kill it in the middle of a conversation and start it again: it
//! goes on where it was.
//!
//! ```sh
//! cargo run --example chat
//! cargo run --example chat -- --user alice "what is 6*7?"
//! ```
//!
//! What makes it remember is one line, the attribute of [`turn`]: read that first.

mod args;
mod model;
mod offline;
#[cfg(feature = "openai")]
mod openai;
mod tools;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Result, anyhow};
use cogency_state::{StateKey, StateManager, robust};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::args::{Args, Request};
use crate::model::{Model, Thought};
use crate::tools::ToolCall;

/// How often the agent may act before it has to answer.
const MAX_STEPS: usize = 8;

/// What is kept of a conversation. Any type will do that has serde's derives and a `Default`.
#[derive(Default, Serialize, Deserialize)]
struct Conversation {
    turns: Vec<Turn>,
}

/// A question, what the agent did about it, and its answer.
#[derive(Serialize, Deserialize)]
struct Turn {
    at: String,
    question: String,
    steps: Vec<Step>,
    answer: String,
}

/// A tool that was used, and what came of it.
#[derive(Serialize, Deserialize)]
struct Step {
    call: ToolCall,
    result: String,
}

/// One turn of a conversation: the agent reasons and acts until it has an answer.
///
/// The attribute loads `chat` before the body runs and saves it when the body returned `Ok`, so
/// callers do not pass it: they write `turn(user_id, session, model, question)`. An answer that
/// they see is on disk for good. A turn that fails, or is killed, leaves no trace in `chat`.
#[robust(persist = "file", session = session)]
async fn turn(
    chat: &mut Conversation,
    user_id: &str,
    session: &str,
    model: &Model,
    question: &str,
) -> Result<String> {
    let mut steps = Vec::new();
    while steps.len() < MAX_STEPS {
        match reason(model, &chat.turns, question, &steps).await? {
            Thought::Act(call) => {
                let result = act(user_id, &call).await?;
                steps.push(Step { call, result });
            }
            Thought::Answer(answer) => {
                let at = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
                let question = question.to_owned();
                chat.turns.push(Turn { at, question, steps, answer: answer.clone() });
                return Ok(answer);
            }
        }
    }
    Err(anyhow!("no answer after {MAX_STEPS} steps"))
}

/// The first phase: the model answers, or asks for a tool.
///
/// This keeps no state, so it needs no `persist`. But a model can be out of reach, or stuck: it
/// gets three attempts of at most 30 seconds, with a growing pause in between.
#[robust(retry = 3, timeout = "30s")]
async fn reason(model: &Model, past: &[Turn], question: &str, steps: &[Step]) -> Result<Thought> {
    model.think(past, question, steps).await
}

/// The second phase: a tool does what the model asked for.
#[robust(timeout = "10s")]
async fn act(user_id: &str, call: &ToolCall) -> Result<String> {
    tools::run(user_id, call).await
}

/// What the agent says first. To look at a state is no call: nothing is held, nothing is saved.
async fn greeting(user_id: &str, session: &str) -> Result<String> {
    let key = StateKey::new(user_id, session)?;
    let chat = StateManager::shared("file")?.load_state::<Conversation>(&key).await?;
    let turns = chat.map(|chat| chat.state.turns).unwrap_or_default();
    let (Some(first), Some(last)) = (turns.first(), turns.last()) else {
        return Ok(format!("Hello {user_id}, we have not talked yet."));
    };
    let count = plural(turns.len(), "turn");
    let since = first.at.get(..10).unwrap_or(&first.at);
    let notes = plural(tools::notes(user_id).await?.len(), "note");
    let question = &last.question;
    Ok(format!("Welcome back, {user_id}: {count} since {since}, {notes}; last: \"{question}\""))
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Talks until the input ends. A turn that fails is reported, and the conversation goes on.
async fn talk(user_id: &str, session: &str, model: &Model) -> Result<()> {
    println!("{}", greeting(user_id, session).await?);
    let is_terminal = io::stdin().is_terminal();
    if is_terminal {
        println!("I talk to {model}. Leave with /quit.");
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        if is_terminal {
            print!("{user_id}> ");
            io::stdout().flush()?;
        }
        match lines.next_line().await?.as_deref().map(str::trim) {
            None if is_terminal => break println!(),
            None | Some("/quit") => break,
            Some("") => {}
            Some(question) => match turn(user_id, session, model, question).await {
                Ok(answer) => println!("{answer}"),
                Err(error) => eprintln!("error: {error:#}"),
            },
        }
    }
    Ok(())
}

async fn run(args: Args) -> Result<()> {
    let Args { user_id, session, request } = args;
    match request {
        Request::Help => println!("{}", args::HELP),
        Request::Forget => {
            let count = tools::forget(&user_id).await?;
            println!("Forgot {} of {user_id}.", plural(count, "state"));
        }
        Request::Ask(questions) => {
            let model = Model::from_env();
            for question in &questions {
                println!("{}", turn(&user_id, &session, &model, question).await?);
            }
        }
        Request::Talk => talk(&user_id, &session, &Model::from_env()).await?,
    }
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = match Args::from_command_line() {
        Ok(args) => args,
        Err(error) => {
            eprintln!("error: {error}\n\n{}", args::HELP);
            return ExitCode::from(2);
        }
    };
    if let Err(error) = run(args).await {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
