//! The Redis backend against real servers: what only a server can do to it.

// All of this is tests, also what clippy does not take for one.
#![expect(clippy::unwrap_used, clippy::panic)]

mod access;
mod blobs;
mod cluster;
mod documents;
mod eviction;
mod expiry;
mod failover;
mod format;
mod histories;
mod history_damage;
mod losses;
mod outages;
mod refusals;
mod renewals;
mod replicas;
mod sentinel;
mod sizes;

use std::time::Duration;

use cogency_state::{
    Holder, Lease, LeaseAttempt, OnOutage, RedisBackend, RedisBackendBuilder, StateBackend,
    StateKey, StateManager, StateManagerBuilder,
};
use cogency_state_tests::redis::fresh_prefix;

/// A server's states of a prefix, each of them in its history.
fn in_history(url: &str, prefix: &str) -> RedisBackendBuilder {
    RedisBackend::builder(url).prefix(prefix).whole_up_to(0)
}

fn key(user_id: &str) -> StateKey {
    StateKey::for_user(user_id).unwrap()
}

/// One whose outages are errors: what the backend says is what these tests are about.
fn failing(backend: impl StateBackend) -> StateManagerBuilder {
    StateManager::builder(backend).on_outage(OnOutage::Fail).probe_every(Duration::ZERO)
}

/// The same, built.
fn strict(backend: impl StateBackend) -> StateManager {
    failing(backend).build()
}

/// One that gives up soon.
fn impatient(url: &str) -> RedisBackendBuilder {
    RedisBackend::builder(url)
        .prefix(fresh_prefix())
        .connect_timeout(Duration::from_millis(500))
        .response_timeout(Duration::from_millis(500))
        .retry_for(Duration::from_millis(500))
}

async fn lease(backend: &RedisBackend, key: &StateKey) -> Lease {
    match backend.acquire_lease(key, &Holder::current()).await.unwrap() {
        LeaseAttempt::Acquired(lease) => lease,
        other => panic!("{other:?}"),
    }
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
