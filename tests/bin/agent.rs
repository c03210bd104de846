//! An agent in a process of its own, for the tests to watch, kill and cut off.
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
//! agent find (<root> <user>)...        a call without a save on each: `found <number>`, or why not
//! ```
//! Each call is told on stdout, a line at once: `begin <number> <user> <root>` before its save,
//! `saved ...` as soon as that was acknowledged, `failed ...` if it was refused; `forget ...` and
//! `forgotten ...` before and after a deletion.

use std::env;
use std::error::Error;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use cogency_state::{Error as State, FileBackend, StateKey, StateManager};
use cogency_state_tests::page::Page;
use tokio::task::JoinSet;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["turn", root, user] => turn(&open(root), root, user).await,
        ["resettle", root, user] => resettle(root, user).await,
        ["count", root, calls, users @ ..] => count(root, calls.parse()?, users).await,
        ["write", root, users @ ..] => write(root, users).await,
        ["meet", root, prefix] => meet(root, prefix).await,
        ["part", root, prefix] => part(root, prefix).await,
        ["hold", root, user] => hold(root, user).await,
        ["settle", root] => settle(Path::new(root)).await,
        ["read", root, user] => read(root, user).await,
        ["find", keys @ ..] => find(keys).await,
        other => Err(format!("there is no such command: {other:?}").into()),
    }
}

fn open(root: &str) -> StateManager {
    println!("ready");
    StateManager::new(FileBackend::new(root))
}

async fn turn(manager: &StateManager, root: &str, user: &str) -> Outcome {
    let mut call = manager.begin::<Page>(&StateKey::for_user(user)?).await?;
    if !call.state.is_whole() {
        return Err(format!("page {} of {user} is a mixture", call.state.number).into());
    }
    call.state.turn();
    let number = call.state.number;
    println!("begin {number} {user} {root}");
    let saved = call.commit().await;
    match &saved {
        Ok(_) => println!("saved {number} {user} {root}"),
        Err(State::OutcomeUnknown { .. }) => {}
        Err(_) => println!("failed {number} {user} {root}"),
    }
    saved?;
    Ok(())
}

async fn resettle(root: &str, user: &str) -> Outcome {
    let manager = open(root);
    turn(&manager, root, user).await?;
    std::fs::remove_dir_all(root)?;
    turn(&manager, root, user).await
}

async fn count(root: &str, calls: u64, users: &[&str]) -> Outcome {
    let manager = open(root);
    for _ in 0..calls {
        for user in users {
            turn(&manager, root, user).await?;
        }
    }
    Ok(())
}

async fn write(root: &str, users: &[&str]) -> Outcome {
    let manager = open(root);
    let mut writers = JoinSet::<Outcome>::new();
    for user in users {
        let (manager, root, user) = (manager.clone(), root.to_owned(), (*user).to_owned());
        writers.spawn(async move {
            loop {
                turn(&manager, &root, &user).await?;
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    Ok(())
}

async fn meet(root: &str, prefix: &str) -> Outcome {
    let manager = open(root);
    for nth in 0_u64.. {
        turn(&manager, root, &format!("{prefix}-{nth}")).await?;
    }
    Ok(())
}

async fn part(root: &str, prefix: &str) -> Outcome {
    let manager = open(root);
    for nth in 0_u64.. {
        let user = format!("{prefix}-{nth}");
        turn(&manager, root, &user).await?;
        println!("forget 1 {user} {root}");
        manager.delete_state(&StateKey::for_user(&user)?).await?;
        println!("forgotten 1 {user} {root}");
    }
    Ok(())
}

async fn hold(root: &str, user: &str) -> Outcome {
    let call = open(root).begin::<Page>(&StateKey::for_user(user)?).await?;
    println!("held");
    tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
    call.rollback().await;
    Ok(())
}

async fn find(keys: &[&str]) -> Outcome {
    for key in keys.chunks_exact(2) {
        let manager = StateManager::new(FileBackend::new(key[0]));
        match manager.begin::<Page>(&StateKey::for_user(key[1])?).await {
            Ok(call) if call.state.is_whole() => {
                println!("found {}", call.state.number);
                call.rollback().await;
            }
            Ok(_) => println!("a mixture"),
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}

async fn settle(root: &Path) -> Outcome {
    for nth in 0_u64.. {
        let root = root.join(format!("{nth}/of/many"));
        let root = root.to_str().ok_or("the path is not UTF-8")?;
        turn(&open(root), root, "first").await?;
    }
    Ok(())
}

async fn read(root: &str, user: &str) -> Outcome {
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        over.store(true, Ordering::Relaxed);
    });
    let (manager, key) = (open(root), StateKey::for_user(user)?);
    let (mut loads, mut changes, mut last) = (0_u64, 0_u64, 0);
    while !is_over.load(Ordering::Relaxed) {
        let Some(loaded) = manager.load_state::<Page>(&key).await? else { continue };
        let page = loaded.state;
        if !page.is_whole() || page.number < last {
            return Err(format!("page {} after page {last} is a mixture", page.number).into());
        }
        loads += 1;
        changes += u64::from(page.number > last);
        last = page.number;
    }
    println!("read {loads} {changes}");
    Ok(())
}
