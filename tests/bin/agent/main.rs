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
//! agent archive <root> <folder>        a run of an archive, 10 states a file: `step`, and on
//!                                      with each line that comes; until its stdin ends
//! agent find (<root> <user>)...        a call without a save on each: `found <number>`, or why not
//! ```
//! A root is a folder, or the URL of a Redis server or a database.
//!
//! Each call is told on stdout, a line at once: `begin <number> <user> <root>` before its save,
//! `saved ...` as soon as that was acknowledged, `failed ...` if it was refused, `unknown ...` if
//! its answer was lost; `forget ...` and `forgotten ...` before and after a deletion.

mod archive;
mod ledgers;
mod pages;
mod steps;

use std::env;
use std::path::Path;

use cogency_state::{DatabaseBackend, Error, FileBackend, RedisBackend, StateManager};

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
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
        ["archive", root, folder] => archive::run(&open(root)?, folder).await,
        ["find", keys @ ..] => pages::find(keys).await,
        other => Err(format!("there is no such command: {other:?}").into()),
    }
}

fn open(root: &str) -> Result<StateManager, Error> {
    println!("ready");
    Ok(match root.split_once(':') {
        Some(("sqlite" | "postgres" | "mysql", _)) => {
            StateManager::new(DatabaseBackend::new(root)?)
        }
        Some(_) => StateManager::new(RedisBackend::new(root)?),
        None => StateManager::new(FileBackend::new(root)),
    })
}

/// Tells what became of a save, unless that is for another to tell.
fn tell<T>(saved: &Result<T, Error>, about: &str) {
    match saved {
        Ok(_) => println!("saved {about}"),
        Err(Error::OutcomeUnknown { .. }) => println!("unknown {about}"),
        Err(_) => println!("failed {about}"),
    }
}
