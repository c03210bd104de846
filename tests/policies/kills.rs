//! Processes are killed while the state of one LLM goes aside and that of another comes back:
//! nothing that was acknowledged is lost, and nothing is there twice.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use cogency_state::{
    DatabaseBackend, FileBackend, RedisBackend, StateBackend, StateManagerBuilder,
};
use cogency_state_tests::agent::{Agent, Said, span};
use cogency_state_tests::database::{SqliteFile, shared_mariadb, shared_postgres};
use cogency_state_tests::redis::{fresh_prefix, shared};
use tokio::runtime::Builder;

use crate::key;

const LLMS: [&str; 2] = ["openai/gpt-5", "anthropic/claude-sonnet-4-5"];
/// A process lives until it said up to so many lines, and then up to so long.
const MOST_LINES: usize = 12;
const LONGEST_LIFE: Duration = Duration::from_millis(8);

/// The lowest and the highest number that each LLM's state may end with.
type Spans = BTreeMap<&'static str, (u64, u64)>;

fn nothing_is_lost(root: &str, backend: &Arc<dyn StateBackend>, kills: u32) {
    let mut spans: Spans = LLMS.map(|llm| (llm, (0, 0))).into();
    for _ in 0..kills {
        let arguments = ["change", root, "alice", LLMS[0], LLMS[1]];
        let mut agent = Agent::spawn(Command::new(env!("CARGO_BIN_EXE_agent")).args(arguments));
        let mut said = agent.say(1 + fastrand::usize(..MOST_LINES));
        thread::sleep(LONGEST_LIFE.mul_f64(fastrand::f64()));
        said.extend(agent.kill());
        look(backend, &mut spans, &said);
    }
    assert!(spans.values().all(|(lowest, _)| *lowest > 0), "no save was acknowledged: {spans:?}");
}

/// What a call of each LLM would find, after this was said.
fn look(backend: &Arc<dyn StateBackend>, spans: &mut Spans, said: &[Said]) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    for (llm, (lowest, highest)) in &mut *spans {
        let its = said.iter().filter(|said| said.user == *llm);
        let (saved, begun) = span(*lowest, its);
        // What a server was sent before the last kill may come late.
        let begun = begun.max(*highest);
        let manager = StateManagerBuilder::over(Arc::clone(backend)).llm(*llm).build();
        let found = runtime.block_on(manager.load_state::<Vec<u64>>(&key("alice"))).unwrap();
        let found = found.map(|found| found.state).unwrap_or_default();
        let last = found.len() as u64;
        assert_eq!(found, (1..=last).collect::<Vec<_>>(), "{llm}: nothing twice");
        assert!((saved..=begun).contains(&last), "{llm}: {last} of {saved} to {begun}\n{said:#?}");
        (*lowest, *highest) = (last, begun);
    }
}

#[test]
fn in_files() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("state");
    let backend: Arc<dyn StateBackend> = Arc::new(FileBackend::new(&root));
    nothing_is_lost(root.to_str().unwrap(), &backend, 200);
}

#[test]
fn on_redis() {
    let prefix = fresh_prefix();
    let url = format!("{}?prefix={prefix}&lease_ttl=500ms", shared().url());
    let backend: Arc<dyn StateBackend> = Arc::new(RedisBackend::new(&url).unwrap());
    nothing_is_lost(&url, &backend, 20);
}

fn in_a_database(url: &str) {
    let prefix = fresh_prefix().replace('-', "_");
    let url = format!("{url}?prefix={prefix}_&lease_ttl=500ms");
    let backend: Arc<dyn StateBackend> = Arc::new(DatabaseBackend::new(&url).unwrap());
    nothing_is_lost(&url, &backend, 20);
}

#[test]
fn in_sqlite() {
    let file = SqliteFile::default();
    in_a_database(&file.url());
}

#[test]
fn in_postgres() {
    in_a_database(&shared_postgres().url());
}

#[test]
fn in_mariadb() {
    in_a_database(&shared_mariadb().url());
}
