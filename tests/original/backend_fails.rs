//! 15 and 16: a backend that fails breaks no agent. What an agent does without one is a policy of
//! its own; what holds under each is that it gets an error to act upon, and no panic.

use std::os::unix::fs::PermissionsExt as _;
use std::{fs, path::Path};

use cogency_state::{AgentState, Error, FileBackend, StateManager, robust};

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
