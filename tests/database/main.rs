//! The database backend against real files and servers: what only they can do to it.

// All of this is tests, also what clippy does not take for one.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod access;
#[path = "../redis_crash/agents.rs"]
#[expect(dead_code, reason = "of what it has for Redis not all is needed here")]
mod agents;
mod apart;
mod audit;
mod cancellation;
mod expiry;
mod guide;
mod history;
mod isolation;
mod leases;
#[path = "../redis_crash/ledgers.rs"]
mod ledgers;
mod meetings;
mod migrations;
mod outages;
mod places;
mod plans;
mod pools;
mod processes;
mod refusals;
mod set_aside;
mod stored_format;
mod texts;
mod tls;
mod together;
mod upgrades;
mod waiting;

use cogency_state::{
    DatabaseBackend, Holder, Lease, LeaseAttempt, Metadata, Opened, Record, Revision,
    StateBackend as _, StateKey, Write,
};

fn key(user_id: &str) -> StateKey {
    StateKey::for_user(user_id).unwrap()
}

async fn lease(backend: &DatabaseBackend, key: &StateKey) -> Lease {
    match backend.acquire_lease(key, &Holder::current()).await.unwrap() {
        LeaseAttempt::Acquired(lease) => lease,
        other => panic!("{other:?}"),
    }
}

/// A save of this text over what was found.
fn write(key: &StateKey, expected: Option<Revision>, json: impl Into<String>) -> Write {
    let json = json.into().into_bytes();
    let revision = Revision::after(expected);
    let record = Record::new(key.clone(), revision, None, Metadata::now(), json.into());
    Write::new(record, expected)
}

/// Saves over whatever is there.
async fn save(backend: &DatabaseBackend, key: &StateKey, json: &str) -> Revision {
    let opened = backend.acquire_and_load(key, &Holder::current()).await.unwrap();
    let Opened::Acquired { lease, record } = opened else { panic!("{opened:?}") };
    let write = write(key, record.map(|record| record.revision), json);
    backend.save_and_release(&lease, &write).await.unwrap();
    write.record.revision
}

/// All that an error says, through all its sources.
fn all_of(error: &cogency_state::Error) -> String {
    let mut text = format!("{error:?} {error}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text} {error} {error:?}");
        source = error.source();
    }
    text
}
