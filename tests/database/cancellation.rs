//! Futures are dropped at every await, with a pool of one connection: the next call works.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use cogency_state::conformance::{Harness, Outcome, checks};
use cogency_state::query::{Search, state, user};
use cogency_state::{
    Aside, AsideReason, DatabaseBackend, Error, HistoryAnchor, HistoryBackend as _, Moment,
    Retention, StateBackend, StateKey, StateManager,
};

use crate::places::Database;
use crate::{key, lease, save};

struct OfOne {
    database: Database,
}

#[async_trait]
impl Harness for OfOne {
    async fn open(&self) -> Arc<dyn StateBackend> {
        let builder = self.database.builder().pool_size(1).lease_ttl(Duration::from_secs(1));
        Arc::new(builder.connect().await.unwrap())
    }

    async fn restart(&self) -> Arc<dyn StateBackend> {
        self.open().await
    }

    async fn damage(&self, _: &StateKey) -> bool {
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn futures_dropped_at_every_await_leave_the_only_connection_usable() {
    for database in Database::each() {
        let harness = OfOne { database };
        let mut ran = 0;
        for check in checks().iter().filter(|check| check.name().contains("dropped")) {
            let outcome = check.run(&harness).await;
            let name = harness.database.name;
            assert!(!matches!(outcome, Outcome::Failed(_)), "{name} {}: {outcome:?}", check.name());
            ran += usize::from(matches!(outcome, Outcome::Passed));
        }
        assert!(ran >= 5, "only {ran} checks drop futures");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_share_the_only_connection() {
    for database in Database::each() {
        let harness = OfOne { database };
        let backend = harness.open().await;
        let manager = cogency_state::StateManagerBuilder::over(backend).build();
        let calls: Vec<_> = (0..32)
            .map(|number| {
                let manager = manager.clone();
                tokio::spawn(async move {
                    let key = crate::key(&format!("user-{number}"));
                    let mut call = manager.begin::<u32>(&key).await.unwrap();
                    call.state += 1;
                    call.commit().await.unwrap();
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
    }
}

/// Polls a future so many times, and drops it where it stands. Whether it ended before.
async fn ends_within(polls: usize, mut future: Pin<Box<dyn Future<Output = ()> + '_>>) -> bool {
    let mut left = polls;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(true),
        Poll::Pending if left == 0 => Poll::Ready(false),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

type Operation<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;
/// One that can be begun again and again.
type Repeated<'a> = Box<dyn Fn() -> Operation<'a> + 'a>;

/// Whatever an operation comes to: it may find that it was done by one that was dropped before.
fn whatever<'a, T>(operation: impl Future<Output = Result<T, Error>> + 'a) -> Operation<'a> {
    Box::pin(async { drop(operation.await) })
}

/// What there is beside loads and saves.
fn operations<'a>(
    backend: &'a DatabaseBackend,
    manager: &'a StateManager,
) -> Vec<(&'static str, Repeated<'a>)> {
    let version = Moment::Version(2);
    let search = || Search::new(state("$[0]").eq(1).and(user().eq("alice")), 10);
    let stays = Retention::Versions(3);
    vec![
        ("list", Box::new(|| whatever(backend.list_history(alice(), None, 10)))),
        ("load", Box::new(move || whatever(backend.load_history(alice(), version)))),
        ("verify", Box::new(|| whatever(backend.verify_history(alice())))),
        ("prune", Box::new(move || whatever(backend.prune_history(alice(), stays)))),
        (
            "export",
            Box::new(move || {
                whatever(backend.export_history(alice(), HistoryAnchor::NONE, stays, 10))
            }),
        ),
        ("keys", Box::new(|| whatever(backend.history_keys(None, 10)))),
        (
            "restore",
            Box::new(|| {
                whatever(async {
                    let entries = manager.history(alice()).list(None, 2).await?;
                    let Some(entry) = entries.last() else { return Ok(()) };
                    manager.history(alice()).restore(Moment::from(entry)).await.map(drop)
                })
            }),
        ),
        ("find", Box::new(move || whatever(async move { backend.find_states(&search()).await }))),
        ("count", Box::new(|| whatever(async { manager.query().count().await }))),
        ("explain", Box::new(move || whatever(async move { backend.explain(&search()).await }))),
        ("set aside and restore", Box::new(|| whatever(put_aside_and_back(backend)))),
        ("remove expired", Box::new(|| whatever(backend.remove_expired()))),
    ]
}

fn alice() -> &'static StateKey {
    static ALICE: std::sync::LazyLock<StateKey> = std::sync::LazyLock::new(|| key("alice"));
    &ALICE
}

async fn put_aside_and_back(backend: &DatabaseBackend) -> Result<(), Error> {
    let bob = key("bob");
    let holder = cogency_state::Holder::current();
    let cogency_state::LeaseAttempt::Acquired(held) = backend.acquire_lease(&bob, &holder).await?
    else {
        return Ok(());
    };
    let aside = Aside::new(bob.clone(), AsideReason::Corrupt);
    backend.set_aside(&held, &aside).await?;
    let found = backend.list_aside(Some("bob")).await?;
    for aside in &found {
        backend.load_aside(&bob, aside.id).await?;
        backend.restore_aside(&held, aside.id).await?;
    }
    backend.release_lease(&held).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_else_is_dropped_at_any_await_leaves_it_usable_too_and_the_histories_whole() {
    const MOST_POLLS: usize = 1_000;
    for database in Database::each() {
        let backend = database.builder().pool_size(1).connect().await.unwrap();
        let manager = StateManager::new(backend.clone());
        for number in 0..6 {
            save(&backend, alice(), &format!("[1,{number}]")).await;
        }
        save(&backend, &key("bob"), "[1]").await;
        let (operations, mut dropped) = (operations(&backend, &manager), 0);
        let least = operations.len();
        for (name, operation) in operations {
            let (mut polls, mut ended) = (0, 0);
            // On a busy machine the answer may be there before it can be dropped: then once more.
            while polls == 0 && ended < 100 {
                while !ends_within(polls, operation()).await {
                    polls += 1;
                    assert!(polls < MOST_POLLS, "{}: {name} does not end", database.name);
                    assert!(backend.load_state(alice()).await.unwrap().is_some(), "{name}");
                    // Else the next one would wait until it runs out.
                    database.run("DELETE FROM {p}leases");
                }
                ended += 1;
            }
            dropped += polls;
        }
        assert!(dropped >= least, "{}: only {dropped} futures were dropped", database.name);
        for user in ["alice", "bob"] {
            let verified = backend.verify_history(&key(user)).await.unwrap();
            assert!(verified.is_current, "{}: {user}", database.name);
        }
        // Bob's state is at its place or aside, and not lost.
        let held = lease(&backend, &key("bob")).await;
        let aside = backend.list_aside(Some("bob")).await.unwrap().len();
        let there = usize::from(backend.load_state(&key("bob")).await.unwrap().is_some());
        assert_eq!(aside + there, 1, "{}", database.name);
        backend.release_lease(&held).await.unwrap();
        save(&backend, alice(), "[2]").await;
    }
}
