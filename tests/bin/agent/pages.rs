//! Calls that turn pages.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use cogency_state::{StateKey, StateManager};
use cogency_state_tests::page::Page;
use tokio::task::JoinSet;

use crate::{Ended, is_cut_off, manager, open, tell};

pub(crate) async fn turn(manager: &StateManager, root: &str, user: &str) -> Ended {
    let mut call = manager.begin::<Page>(&StateKey::for_user(user)?).await?;
    if !call.state.is_whole() {
        return Err(format!("page {} of {user} is a mixture", call.state.number).into());
    }
    call.state.turn();
    let about = format!("{} {user} {root}", call.state.number);
    println!("begin {about}");
    let saved = call.commit().await;
    tell(&saved, &about);
    saved?;
    Ok(())
}

pub(crate) async fn resettle(root: &str, user: &str) -> Ended {
    let manager = open(root)?;
    turn(&manager, root, user).await?;
    std::fs::remove_dir_all(root)?;
    turn(&manager, root, user).await
}

pub(crate) async fn count(root: &str, calls: u64, users: &[&str]) -> Ended {
    let manager = open(root)?;
    for _ in 0..calls {
        for user in users {
            turn(&manager, root, user).await?;
        }
    }
    Ok(())
}

pub(crate) async fn write(root: &str, users: &[&str]) -> Ended {
    let manager = open(root)?;
    let mut writers = JoinSet::<Ended>::new();
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

pub(crate) async fn meet(root: &str, prefix: &str) -> Ended {
    let manager = open(root)?;
    for nth in 0_u64.. {
        turn(&manager, root, &format!("{prefix}-{nth}")).await?;
    }
    Ok(())
}

pub(crate) async fn part(root: &str, prefix: &str) -> Ended {
    let manager = open(root)?;
    for nth in 0_u64.. {
        let user = format!("{prefix}-{nth}");
        turn(&manager, root, &user).await?;
        println!("forget 1 {user} {root}");
        manager.delete_state(&StateKey::for_user(&user)?).await?;
        if !is_cut_off() {
            println!("forgotten 1 {user} {root}");
        }
    }
    Ok(())
}

pub(crate) async fn find(keys: &[&str]) -> Ended {
    let mut managers = BTreeMap::new();
    for key in keys.chunks_exact(2) {
        let manager = match managers.entry(key[0]) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(none) => none.insert(manager(key[0])?),
        };
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

pub(crate) async fn settle(root: &Path) -> Ended {
    for nth in 0_u64.. {
        let root = root.join(format!("{nth}/of/many"));
        let root = root.to_str().ok_or("the path is not UTF-8")?;
        turn(&open(root)?, root, "first").await?;
    }
    Ok(())
}

pub(crate) async fn read(root: &str, user: &str) -> Ended {
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        over.store(true, Ordering::Relaxed);
    });
    let (manager, key) = (open(root)?, StateKey::for_user(user)?);
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
