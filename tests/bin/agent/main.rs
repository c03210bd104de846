//! An agent in a process of its own, for the tests to watch, pause, kill and cut off.
//!
//! ```text
//! agent turn <root> <user>             one call
//! agent resettle <root> <user>         one call, the removal of the root, one more call
//! agent count <root> <calls> <user>... so many calls on each user in turn
//! agent write <root> <user>...         calls without end, the users side by side
//! agent meet <root> <prefix>           first calls of new users, without end
//! agent part <root> <prefix>           first calls of new users, each deleted, without end
//! agent settle <root>                  first calls below new folders, without end
//! agent read <root> <user>             loads until its stdin ends
//! agent hold <root> <user>             a call that ends when its stdin ends
//! agent step <root> <user>             calls, each saved when a line comes; until its stdin ends
//! agent enter <root> <agent> <calls> <user>...
//!                                      so many entries in the users' ledgers, whatever happens
//! agent change <root> <user> <llm>...  calls of these LLMs in turn, without end: `begin <number> <llm>`
//! agent archive <root> <folder>        a run of an archive, 10 states a file: `step`, and on
//!                                      with each line that comes; until its stdin ends
//! agent archive-history <root> <folder>  the same over histories, all but the newest versions
//! agent show <root> <user> <calls>     so many calls whose states name blobs
//! agent look <root> <user>             a load of such a state: `found <number>`, or why not
//! agent refresh <root> <user>          a call without a save, which brings the copy up to date
//! agent find (<root> <user>)...        a call without a save on each: `found <number>`, or why not
//! ```
//! A root is a folder, the URL of a Redis server or a database, or `away:`, a server that nobody
//! reaches, where states begin anew. What is out of reach is an error, unless `COGENCY_SPOOL_DIR`
//! is set: then states are spooled there, and `spooled ...` is said in place of `saved ...`.
//!
//! Each call is told on stdout, a line at once: `begin <number> <user> <root>` before its save,
//! `saved ...` as soon as that was acknowledged, `failed ...` if it was refused, `unknown ...` if
//! its answer was lost; `forget ...` and `forgotten ...` before and after a deletion.

mod albums;
mod archive;
mod ledgers;
mod llms;
mod pages;
mod steps;

use std::env;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cogency_state::{
    DatabaseBackend, Error, FileBackend, OnOutage, Outcome, RedisBackend, Retention, StateBackend,
    StateManager, StateManagerBuilder,
};
use cogency_state_tests::switched::Switched;

type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// With `COGENCY_ONE_THREAD` all file work is done by one thread: strace counts the calls of each.
fn main() -> Ended {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    if env::var_os("COGENCY_ONE_THREAD").is_some() {
        runtime.max_blocking_threads(1);
    }
    runtime.enable_all().build()?.block_on(run())
}

async fn run() -> Ended {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["turn", root, user] => pages::turn(&open(root)?, root, user).await,
        ["resettle", root, user] => pages::resettle(root, user).await,
        ["count", root, calls, users @ ..] => pages::count(root, calls.parse()?, users).await,
        ["write", root, users @ ..] => pages::write(root, users).await,
        ["meet", root, prefix] => pages::meet(root, prefix).await,
        ["part", root, prefix] => pages::part(root, prefix).await,
        ["settle", root] => pages::settle(Path::new(root)).await,
        ["read", root, user] => pages::read(root, user).await,
        ["hold", root, user] => steps::hold(root, user).await,
        ["step", root, user] => steps::step(root, user).await,
        ["enter", root, agent, calls, users @ ..] => {
            ledgers::enter(root, agent.parse()?, calls.parse()?, users).await
        }
        ["change", root, user, llms @ ..] => llms::change(root, user, llms).await,
        ["archive", root, folder] => archive::run(&open(root)?, folder).await,
        ["archive-history", root, folder] => archive::run_history(&open(root)?, folder).await,
        ["show", root, user, calls] => albums::show(root, user, calls.parse()?).await,
        ["look", root, user] => albums::look(root, user).await,
        ["refresh" | "find", keys @ ..] => pages::find(keys).await,
        other => Err(format!("there is no such command: {other:?}").into()),
    }
}

fn open(root: &str) -> Result<StateManager, Error> {
    println!("ready");
    manager(root)
}

fn manager(root: &str) -> Result<StateManager, Error> {
    let backend: Arc<dyn StateBackend> = match root.split_once(':') {
        Some(("sqlite" | "postgres" | "mysql", _)) => Arc::new(DatabaseBackend::new(root)?),
        Some(("away", _)) => Arc::new(Switched::away()),
        Some(_) => Arc::new(RedisBackend::new(root)?),
        None => Arc::new(in_files(root)),
    };
    let builder = StateManagerBuilder::over(backend);
    if env::var_os("COGENCY_SPOOL_DIR").is_none() {
        return Ok(builder.on_outage(OnOutage::Fail).probe_every(Duration::ZERO).build());
    }
    let policy = if root == "away:" { OnOutage::Fresh } else { OnOutage::Spool };
    Ok(builder.on_outage(policy).build())
}

/// Files, where `COGENCY_VERSIONS` may say how many versions stay.
fn in_files(root: &str) -> FileBackend {
    let versions = env::var("COGENCY_VERSIONS").ok().and_then(|versions| versions.parse().ok());
    let backend = FileBackend::new(root);
    match versions {
        Some(versions) => backend.with_history(Retention::Versions(versions)),
        None => backend,
    }
}

/// Tells what became of a save, unless that is for another to tell.
fn tell(saved: &Result<Outcome, Error>, about: &str) {
    match saved {
        Ok(_) if is_cut_off() => println!("unknown {about}"),
        Ok(Outcome::Spooled(_)) => println!("spooled {about}"),
        Ok(_) => println!("saved {about}"),
        Err(Error::OutcomeUnknown { .. }) => println!("unknown {about}"),
        Err(_) => println!("failed {about}"),
    }
}

/// Whether the disk of a test's witness is gone. Here the power is cut for the disk alone, and the
/// sync that is under way at that moment may end as if it had gone well, which nobody would live to
/// see if it were cut for all. So what is acknowledged counts if the disk is still there after it.
fn is_cut_off() -> bool {
    let witness = env::var_os("COGENCY_WITNESS");
    witness.is_some_and(|path| File::open(path).and_then(|file| file.sync_all()).is_err())
}
