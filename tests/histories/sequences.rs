//! Random sequences of saves, deletes, prunings, restores, forks and loads, against a model: what
//! happened is told, what has to stay comes back, and nothing else does.
//!
//! ```text
//! COGENCY_HISTORY_SEQUENCES=100000 cargo test -p cogency-state-tests --release --test histories
//! ```

use cogency_state::{DatabaseBackend, MemoryBackend, Retention, StateBackend};
use cogency_state_tests::database::{SqliteFile, shared_mariadb, shared_postgres};
use cogency_state_tests::redis::fresh_prefix;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use crate::step::{Step, steps};
use crate::world::World;

/// Runs so many sequences, or as many as are asked for.
fn sequences(
    cases: u32,
    stays: Retention,
    runtime: &Runtime,
    backend: &(impl StateBackend + Clone),
) {
    let asked = std::env::var("COGENCY_HISTORY_SEQUENCES").ok().map(|text| text.parse().unwrap());
    let cases = asked.unwrap_or(cases);
    let config = Config { failure_persistence: None, ..Config::with_cases(cases) };
    let user = std::cell::Cell::new(0_u64);
    let ended = TestRunner::new(config).run(&steps(), |steps| {
        user.set(user.get() + 1);
        let world = World::new(backend, stays, &user.get().to_string());
        runtime.block_on(sequence(world, &steps));
        Ok(())
    });
    ended.unwrap_or_else(|failed| panic!("{failed}"));
}

async fn sequence(mut world: World, steps: &[Step]) {
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

/// Some states stand in their rows, and some are apart.
const WHOLE_UP_TO: usize = 20;

fn on_database(url: &str, cases: u32, stays: Retention) {
    let (runtime, prefix) = (runtime(), fresh_prefix().replace('-', "_") + "_");
    let builder = DatabaseBackend::builder(url).prefix(prefix).whole_up_to(WHOLE_UP_TO);
    let backend = runtime.block_on(builder.history(stays).connect()).unwrap();
    sequences(cases, stays, &runtime, &backend);
}

#[test]
fn random_sequences_on_sqlite_agree_with_a_model() {
    on_database(&SqliteFile::default().url(), 20, Retention::All);
}

#[test]
fn random_sequences_on_sqlite_that_prunes_agree_with_a_model() {
    on_database(&SqliteFile::default().url(), 20, Retention::Versions(3));
}

#[test]
fn random_sequences_on_postgres_agree_with_a_model() {
    on_database(&shared_postgres().url(), 6, Retention::Versions(3));
}

#[test]
fn random_sequences_on_mariadb_agree_with_a_model() {
    on_database(&shared_mariadb().url(), 6, Retention::Versions(3));
}
