//! What a state holds stays out of messages.

use std::error::Error as _;
use std::fmt::Debug;

use serde_json::json;

use crate::backend::{Lease, Write};
use crate::conformance::check::{Stop, Verdict, ensure, fail};
use crate::conformance::sample;
use crate::conformance::trial::Trial;
use crate::error::Error;
use crate::key::StateKey;
use crate::record::Record;

/// What no message may show.
const SECRET: &str = "canary-5f0c9d";

pub(super) async fn messages_do_not_show_states(trial: &Trial<'_>) -> Verdict {
    let lease = trial.backend.acquire(&trial.key()?).await?;
    let first = secret(lease.key(), None);
    let write = Write::new(first.clone(), None);
    trial.backend.write(&lease, &write).await?;
    shows_nothing(&lease, "a lease")?;
    shows_nothing(&write, "a write")?;
    shows_nothing(&trial.backend.load(lease.key()).await?, "a record")?;
    shows_nothing(&trial.backend, "the backend")?;
    ensure!(!trial.backend.location().contains(SECRET), "the location shows a state");

    let stale = Write::new(secret(lease.key(), None), None);
    tells_nothing(trial.backend.save_state(&lease, &stale).await, "a stale save")?;
    trial.backend.release(&lease).await?;
    let next = Write::new(secret(lease.key(), Some(&first)), Some(first.revision));
    tells_nothing(trial.backend.save_state(&lease, &next).await, "a save without lease")?;
    match unreadable(trial, &lease).await {
        Err(Stop::NotApplicable(_)) => Ok(()),
        verdict => verdict,
    }
}

async fn unreadable(trial: &Trial<'_>, lease: &Lease) -> Verdict {
    trial.damage(lease.key()).await?;
    tells_nothing(trial.backend.load_state(lease.key()).await, "a load of what is unreadable")?;
    let lease = trial.backend.acquire(lease.key()).await?;
    let write = Write::new(secret(lease.key(), None), None);
    tells_nothing(trial.backend.save_state(&lease, &write).await, "a save over the unreadable")?;
    trial.backend.delete(&lease).await?;
    trial.backend.release(&lease).await
}

fn secret(key: &StateKey, replaces: Option<&Record>) -> Record {
    let mut record = sample::record(key, replaces, SECRET);
    record.metadata.custom.insert("note".to_owned(), json!({ "inner": SECRET }));
    record
}

/// Fails unless a result is an error that shows nothing, nor do its sources.
fn tells_nothing<T>(result: Result<T, Error>, what: &str) -> Verdict {
    let Err(error) = result else { fail!("{what} succeeds") };
    shows_nothing(&error, what)?;
    ensure!(!error.to_string().contains(SECRET), "the error of {what} shows the state");
    let mut source = error.source();
    while let Some(error) = source {
        shows_nothing(&error, what)?;
        ensure!(!error.to_string().contains(SECRET), "a source of {what}'s error shows the state");
        source = error.source();
    }
    Ok(())
}

fn shows_nothing(shown: &dyn Debug, what: &str) -> Verdict {
    ensure!(!format!("{shown:?}").contains(SECRET), "the Debug output of {what} shows the state");
    Ok(())
}
