//! Questions about past runs: which agents of alice used a model last week and stopped with an
//! error? What happened to one of them, and what was it before that?
//!
//! ```console
//! cargo run --example past_runs --features sqlite
//! cargo run --example past_runs --features sqlite -- --restore "tax report"
//! cargo run --example past_runs --features postgres -- --url postgres://localhost/agents
//! ```

mod runs;

use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use cogency_state::query::{model, saved_at, state, user};
use cogency_state::{DatabaseBackend, Moment, StateKey, StateManager};
use lexopt::prelude::*;

use crate::runs::Run;

const HELP: &str = "\
Answers questions about past runs of agents. Makes some up if there are none.

  --url URL      where they are kept (default: sqlite:past_runs.db)
  --user USER    whose agents (default: alice)
  --model MODEL  the model that they used (default: gpt-5)
  --restore RUN  shows the history of a run of that user, and undoes what was saved last
";

const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

struct Args {
    url: String,
    user: String,
    model: String,
    restore: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Some(args) = parse()? else {
        print!("{HELP}");
        return Ok(());
    };
    // What is asked for often has an index, made once.
    let backend = DatabaseBackend::builder(&args.url).index(state("$.stop_reason"));
    let backend = backend.connect().await.context("the database cannot be used")?;
    runs::make_up(&backend).await?;
    let manager = StateManager::new(backend);

    if let Some(run) = &args.restore {
        return undo(&manager, &StateKey::new(&*args.user, &**run)?).await;
    }
    failed(&manager, &args).await?;
    dearest(&manager).await
}

/// Which agents of a user used a model in the last week and stopped with an error?
async fn failed(manager: &StateManager, args: &Args) -> anyhow::Result<()> {
    let query = manager
        .query()
        .filter(user().eq(args.user.as_str()))
        .filter(model().eq(args.model.as_str()))
        .filter(saved_at().ge(SystemTime::now() - WEEK))
        .filter(state("$.stop_reason").eq("error"))
        .order_by_descending(saved_at());
    println!(
        "{} of {}'s agents used {} in the last week and stopped with an error:",
        query.count().await?,
        args.user,
        args.model
    );
    let mut rows = query.states::<Run>();
    while let Some(row) = rows.next().await {
        let (found, run) = row?;
        let last = run.turns.last().map_or("", String::as_str);
        println!("  {} ({} turns): {last}", found.key.session_id(), run.turns.len());
    }
    Ok(())
}

/// The three dearest runs of all users. Only what is known of a run is read, not the run.
async fn dearest(manager: &StateManager) -> anyhow::Result<()> {
    let query = manager.query().filter(state("$.cents").exists());
    let query = query.order_by_descending(state("$.cents")).limit(3);
    println!("The dearest runs:");
    for found in query.rows().all().await? {
        println!("  {} by {}", found.key, found.metadata.llm_model);
    }
    Ok(())
}

/// Shows what happened to a run, and makes the version before the last one the newest again.
async fn undo(manager: &StateManager, key: &StateKey) -> anyhow::Result<()> {
    let history = manager.history(key);
    let entries = history.list(None, 20).await?;
    println!("The history of {key}, the newest first:");
    for entry in &entries {
        let at = humantime::format_rfc3339_seconds(entry.at);
        let model = entry.model.as_deref().unwrap_or("unknown");
        println!("  version {}: {} at {at} by {model}", entry.version, entry.event);
    }
    let [last, before, ..] = &*entries else { bail!("there is nothing to undo") };
    let (last, before) = (Moment::Entry(last.sequence), Moment::Entry(before.sequence));
    println!("Undone:");
    for difference in history.diff(before, last).await? {
        println!("  {difference}");
    }
    history.restore(before).await?;
    Ok(())
}

/// `None` if help is asked for.
fn parse() -> anyhow::Result<Option<Args>> {
    let mut args = Args {
        url: "sqlite:past_runs.db".to_owned(),
        user: "alice".to_owned(),
        model: "gpt-5".to_owned(),
        restore: None,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("url") => args.url = parser.value()?.string()?,
            Long("user") => args.user = parser.value()?.string()?,
            Long("model") => args.model = parser.value()?.string()?,
            Long("restore") => args.restore = Some(parser.value()?.string()?),
            Long("help") | Short('h') => return Ok(None),
            other => bail!("{}\n\n{HELP}", other.unexpected()),
        }
    }
    Ok(Some(args))
}
