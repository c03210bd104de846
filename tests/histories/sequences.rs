//! Random sequences of saves, deletes, prunings, restores, forks, loads and crashes, against a model:
//! what happened is told, what has to stay comes back, and nothing else does.
//!
//! ```text
//! COGENCY_HISTORY_SEQUENCES=100000 cargo test -p cogency-state-tests --release --test histories
//! ```

use cogency_state::{DatabaseBackend, MemoryBackend, RedisBackend, Retention};
use cogency_state_tests::database::{DatabaseServer, shared_mariadb, shared_postgres};
use cogency_state_tests::redis::{fresh_prefix, shared};
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use crate::place::{Files, Place, Sqlite, WHOLE_UP_TO};
use crate::step::{Step, steps};
use crate::world::World;

/// Runs so many sequences, or as many as are asked for.
fn sequences(cases: u32, stays: Retention, runtime: &Runtime, place: &dyn Place) {
    let asked = std::env::var("COGENCY_HISTORY_SEQUENCES").ok().map(|text| text.parse().unwrap());
    let cases = asked.unwrap_or(cases);
    let config = Config { failure_persistence: None, ..Config::with_cases(cases) };
    let user = std::cell::Cell::new(0_u64);
    let ended = TestRunner::new(config).run(&steps(), |steps| {
        user.set(user.get() + 1);
        let user = user.get().to_string();
        runtime.block_on(sequence(World::new(place, stays, &user), &steps));
        place.forget(&user);
        Ok(())
    });
    ended.unwrap_or_else(|failed| panic!("{failed}"));
}

async fn sequence(mut world: World<'_>, steps: &[Step]) {
    for step in steps {
        world.step(step).await;
    }
    world.check().await;
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn on_memory(stays: Retention) {
    let backend = MemoryBackend::new().with_history(stays);
    sequences(300, stays, &runtime(), &backend);
}

#[test]
fn random_sequences_on_memory_agree_with_a_model() {
    on_memory(Retention::All);
}

#[test]
fn random_sequences_on_memory_that_prunes_agree_with_a_model() {
    on_memory(Retention::Versions(3));
}

fn on_files(stays: Retention) {
    sequences(40, stays, &runtime(), &Files::new(stays));
}

#[test]
fn random_sequences_on_files_agree_with_a_model() {
    on_files(Retention::All);
}

#[test]
fn random_sequences_on_files_that_are_compacted_agree_with_a_model() {
    on_files(Retention::Versions(3));
}

fn on_sqlite(stays: Retention) {
    sequences(20, stays, &runtime(), &Sqlite::new(stays));
}

#[test]
fn random_sequences_on_sqlite_agree_with_a_model() {
    on_sqlite(Retention::All);
}

#[test]
fn random_sequences_on_sqlite_that_prunes_agree_with_a_model() {
    on_sqlite(Retention::Versions(3));
}

/// With states that are whole, and some that are in their histories.
fn on_redis(stays: Retention, whole_up_to: usize) {
    let runtime = runtime();
    let builder = RedisBackend::builder(&shared().url()).prefix(fresh_prefix());
    let builder = builder.history(stays).whole_up_to(whole_up_to);
    let backend = runtime.block_on(builder.connect()).unwrap();
    sequences(20, stays, &runtime, &backend);
}

#[test]
fn random_sequences_on_redis_agree_with_a_model() {
    on_redis(Retention::All, 1 << 10);
}

#[test]
fn random_sequences_on_redis_that_prunes_agree_with_a_model() {
    on_redis(Retention::Versions(3), 0);
}

fn on_server(server: &DatabaseServer, stays: Retention) {
    let (runtime, prefix) = (runtime(), fresh_prefix().replace('-', "_") + "_");
    let builder = DatabaseBackend::builder(&server.url()).prefix(prefix).whole_up_to(WHOLE_UP_TO);
    let backend = runtime.block_on(builder.history(stays).connect()).unwrap();
    sequences(3, stays, &runtime, &backend);
}

#[test]
fn random_sequences_on_postgres_agree_with_a_model() {
    on_server(shared_postgres(), Retention::All);
    on_server(shared_postgres(), Retention::Versions(3));
}

#[test]
fn random_sequences_on_mariadb_agree_with_a_model() {
    on_server(shared_mariadb(), Retention::All);
    on_server(shared_mariadb(), Retention::Versions(3));
}
