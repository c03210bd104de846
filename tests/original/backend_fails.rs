//! 15 and 16: a backend that fails breaks no agent. One that is out of reach does not stop it, also
//! not when it loads: then it goes on with what it knows. One that is broken gives an error to act
//! upon, and no panic.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use std::{fs, path::Path};

use cogency_state::{
    AgentState, Error, FileBackend, OnOutage, RedisBackend, StateKey, StateManager, robust,
};
use cogency_state_tests::redis::RedisServer;
use tempfile::TempDir;

#[robust(persist = manager)]
async fn ask(
    state: &mut AgentState,
    manager: &StateManager,
    user_id: &str,
    broken: impl FnOnce(),
) -> Result<(), Error> {
    state.begin_query("hello");
    broken();
    Ok(())
}

/// A manager that spools in a folder of its own.
fn spooling(server: &RedisServer, on_outage: OnOutage) -> (StateManager, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let backend = RedisBackend::new(&server.url()).unwrap();
    let builder = StateManager::builder(backend).on_outage(on_outage);
    (builder.spool_dir(folder.path()).build(), folder)
}

async fn query_of(manager: &StateManager, user_id: &str) -> String {
    let key = StateKey::for_user(user_id).unwrap();
    manager.load_state::<AgentState>(&key).await.unwrap().unwrap().state.query
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn original_15_a_server_that_is_gone_when_a_call_saves_does_not_break_the_agent() {
    let server = RedisServer::start();
    let (manager, _folder) = spooling(&server, OnOutage::Spool);
    ask(&manager, "alice", || server.kill()).await.unwrap();
    assert_eq!(manager.health().await.spooled, 1);
    assert_eq!(query_of(&manager, "alice").await, "hello");
    server.restart();
    // The lease of the call that was cut off is there until it runs out.
    while manager.replay_spool().await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (elsewhere, _folder) = spooling(&server, OnOutage::Fail);
    assert_eq!(query_of(&elsewhere, "alice").await, "hello");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn original_16_a_server_that_is_gone_when_a_call_loads_does_not_break_the_agent() {
    let server = RedisServer::start();
    let (manager, _folder) = spooling(&server, OnOutage::Spool);
    ask(&manager, "alice", || {}).await.unwrap();
    server.kill();
    // What this process knows it goes on from; the state of nobody is not made up.
    ask(&manager, "alice", || {}).await.unwrap();
    let error = ask(&manager, "bob", || {}).await.unwrap_err();
    assert!(error.is_outage(), "{error}");
    // As the original did, where that is asked for.
    let (original, _folder) = spooling(&server, OnOutage::Fresh);
    ask(&original, "bob", || {}).await.unwrap();
}

/// A file where the folder of states is to be.
fn in_the_way(path: &Path) -> StateManager {
    fs::write(path.join("states"), "a file").unwrap();
    StateManager::new(FileBackend::new(path.join("states")))
}

#[tokio::test]
async fn original_16_a_load_that_fails_is_an_error_before_the_body_runs() {
    let folder = tempfile::tempdir().unwrap();
    let mut has_run = false;
    let error = ask(&in_the_way(folder.path()), "alice", || has_run = true).await.unwrap_err();
    assert!(matches!(error, Error::Backend { .. }), "{error}");
    assert!(!has_run, "an agent that does not know its state does not act as if it had none");
}

#[tokio::test]
async fn original_15_a_save_that_fails_is_an_error_and_leaves_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let manager = StateManager::new(FileBackend::new(folder.path()));
    ask(&manager, "alice", || {}).await.unwrap();
    let states = folder.path().join("alice/default");
    let away = folder.path().join("alice/away");
    let error = ask(&manager, "alice", || fs::rename(&states, &away).unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::LeaseLost { .. } | Error::Backend { .. }), "{error}");
    fs::rename(&away, &states).unwrap();
    assert_eq!(fs::metadata(&states).unwrap().permissions().mode() & 0o777, 0o700);
    ask(&manager, "alice", || {}).await.unwrap();
}
