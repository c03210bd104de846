//! Calls that are made until they are acknowledged, whatever happens to the server.

use std::env;
use std::time::Duration;

use cogency_state::{Error, StateKey, StateManager};
use cogency_state_tests::ledger::{Entry, Ledger};

use crate::{Ended, open};

/// The body of a call takes up to so long.
const LONGEST_BODY: u64 = 20;
/// Before a call that failed is followed by another.
const PAUSE: Duration = Duration::from_millis(10);

/// Makes entries until so many are acknowledged. One that failed is given up for the next.
pub(crate) async fn enter(root: &str, agent: u64, calls: u64, users: &[&str]) -> Ended {
    let manager = open(root)?;
    let (mut acknowledged, mut number) = (0, 0);
    while acknowledged < calls {
        number += 1;
        let entry = Entry { agent, number };
        // Each agent begins with another user.
        let user = users[usize::try_from(agent + number)? % users.len()];
        acknowledged += u64::from(settle(&manager, root, user, entry).await?);
    }
    Ok(())
}

/// Makes an entry; `false` if it was refused. One that may have been made is made again: each call
/// looks first.
async fn settle(
    manager: &StateManager,
    root: &str,
    user: &str,
    entry: Entry,
) -> Result<bool, Error> {
    let about = format!("{} {user} {root}", entry.number);
    let mut is_doubtful = false;
    loop {
        let error = match attempt(manager, user, entry, &about).await {
            Ok(word) => {
                println!("{word} {about}");
                return Ok(true);
            }
            Err(error) => error,
        };
        match &error {
            Error::OutcomeUnknown { .. } => is_doubtful = true,
            // The server was away, the lease went to another one meanwhile, or both went on
            // without it.
            Error::Conflict { .. } if env::var_os("COGENCY_SPOOL_DIR").is_some() => {}
            Error::Backend { .. }
            | Error::NotSpooled { .. }
            | Error::LeaseLost { .. }
            | Error::LeaseTimeout { .. } => {}
            _ => return Err(error),
        }
        println!("{} {about}", if is_doubtful { "unknown" } else { "failed" });
        tokio::time::sleep(PAUSE).await;
        if !is_doubtful {
            return Ok(false);
        }
    }
}

async fn attempt(
    manager: &StateManager,
    user: &str,
    entry: Entry,
    about: &str,
) -> Result<&'static str, Error> {
    let mut call = manager.begin::<Ledger>(&StateKey::for_user(user)?).await?;
    if call.state.entries.contains(&entry) {
        call.rollback().await;
        return Ok("found");
    }
    call.state.entries.push(entry);
    // Now short, now long.
    let body = entry.number * 7919 % LONGEST_BODY;
    tokio::time::sleep(Duration::from_millis(body)).await;
    println!("begin {about}");
    Ok(if call.commit().await?.is_spooled() { "spooled" } else { "saved" })
}
