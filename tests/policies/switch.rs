//! Off: bodies run on fresh states, and nothing is touched.

use std::process::Command;

use cogency_state::{
    Aside, Error, FileBackend, Migrations, OnUnreadable, Revision, StateManager, current,
    is_enabled, robust, set_enabled,
};

use crate::key;

#[robust(persist = manager)]
async fn count(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

/// A manager over a folder that is not there, and stays so.
fn untouched() -> (tempfile::TempDir, StateManager) {
    let folder = tempfile::tempdir().unwrap();
    let manager = StateManager::new(FileBackend::new(folder.path().join("state")));
    (folder, manager)
}

async fn runs_on_fresh_states(manager: &StateManager) {
    for _ in 0..2 {
        assert_eq!(count(manager, "alice").await.unwrap(), 1);
        let mut call = manager.begin::<u32>(&key("alice")).await.unwrap();
        assert_eq!(call.state, 0);
        call.state = 7;
        call.commit().await.unwrap();
        manager.save_state(&key("alice"), 7_u32, None).await.unwrap();
        assert!(manager.load_state::<u32>(&key("alice")).await.unwrap().is_none());
        assert!(manager.load_metadata(&key("alice")).await.unwrap().is_none());
        assert!(manager.list_states("alice").await.unwrap().is_empty());
        assert!(manager.quarantined().await.unwrap().is_empty());
        assert!(!manager.delete_state(&key("alice")).await.unwrap());
    }
}

#[tokio::test]
async fn a_manager_that_is_off_touches_nothing_and_can_be_switched_on() {
    let (folder, manager) = untouched();
    manager.set_enabled(false);
    runs_on_fresh_states(&manager.clone()).await;
    assert!(!folder.path().join("state").exists());
    manager.set_enabled(true);
    assert_eq!(count(&manager, "alice").await.unwrap(), 1);
    assert_eq!(count(&manager, "alice").await.unwrap(), 2);
    manager.set_enabled(false);
    runs_on_fresh_states(&manager).await;
    manager.set_enabled(true);
    assert_eq!(count(&manager, "alice").await.unwrap(), 3);
}

/// Says to a run of a test that it is the process of its own.
const ALONE: &str = "COGENCY_TEST_ALONE";

/// Runs a test in a process of its own, or says that this is the one.
fn is_alone(test: &str, enabled: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let program = std::env::current_exe().unwrap();
    let ran = Command::new(program)
        .args(["--exact", &format!("switch::{test}")])
        .envs([(ALONE, "1"), ("COGENCY_STATE_ENABLED", enabled)])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
    false
}

#[tokio::test]
async fn the_environment_switches_a_process_off() {
    if is_alone("the_environment_switches_a_process_off", "off") {
        assert!(!is_enabled());
        let (folder, manager) = untouched();
        runs_on_fresh_states(&manager).await;
        assert!(!folder.path().join("state").exists());
    }
}

#[tokio::test]
async fn a_program_switches_itself_off_and_on_between_calls() {
    if is_alone("a_program_switches_itself_off_and_on_between_calls", "0") {
        let (_folder, manager) = untouched();
        set_enabled(true);
        assert_eq!(count(&manager, "alice").await.unwrap(), 1);
        set_enabled(false);
        runs_on_fresh_states(&manager).await;
        set_enabled(true);
        assert_eq!(count(&manager, "alice").await.unwrap(), 2);
    }
}

/// A manager that is off, over a folder in which a state is stored and another set aside.
async fn off(folder: &tempfile::TempDir) -> (StateManager, Aside) {
    let states = FileBackend::new(folder.path().join("state"));
    let manager = StateManager::builder(states).on_unreadable(OnUnreadable::Quarantine).build();
    manager.save_state(&key("alice"), "a text".to_owned(), None).await.unwrap();
    count(&manager, "alice").await.unwrap();
    count(&manager, "bob").await.unwrap();
    let aside = manager.quarantined().await.unwrap().pop().unwrap();
    manager.set_enabled(false);
    (manager, aside)
}

#[robust(persist = manager)]
async fn notes(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<bool, Error> {
    let Some(call) = current() else { return Ok(false) };
    *state += 1;
    call.set("noted", user_id)?;
    Ok(true)
}

#[robust(persist = outer)]
async fn calls(
    state: &mut u32,
    outer: &StateManager,
    user_id: &str,
    inner: &StateManager,
) -> Result<bool, Error> {
    *state += 1;
    notes(inner, "bob").await
}

/// What it says would be saved with another state.
#[tokio::test]
async fn a_call_that_is_off_does_not_speak_for_the_call_around_it() {
    let folder = tempfile::tempdir().unwrap();
    let (outer, inner) = ["outer", "inner"]
        .map(|name| StateManager::new(FileBackend::new(folder.path().join(name))))
        .into();
    assert!(calls(&outer, "alice", &inner).await.unwrap());
    inner.set_enabled(false);
    assert!(!calls(&outer, "alice", &inner).await.unwrap());
    assert!(outer.load_metadata(&key("alice")).await.unwrap().unwrap().custom.is_empty());
}

#[tokio::test]
async fn a_manager_that_is_off_restores_drops_imports_and_checks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (manager, aside) = off(&folder).await;
    assert!(manager.load_aside::<String>(&aside).await.unwrap().is_none());
    assert!(!manager.restore_aside(&aside).await.unwrap());
    let there = Revision { version: 1, write_id: cogency_state::WriteId::generate() };
    assert!(!manager.restore_aside_over(&aside, there).await.unwrap());
    assert!(!manager.drop_aside(&aside).await.unwrap());
    let original = folder.path().join("original");
    std::fs::create_dir(&original).unwrap();
    let file = r#"{"state":{"query":"?","user_id":"carol"},"metadata":{},"schema_version":"1.0",
        "process_id":"1"}"#;
    std::fs::write(original.join("carol_1_1.json"), file).unwrap();
    assert!(manager.import_original(&original).await.unwrap().files.is_empty());
    let report = manager.check::<u32>(&Migrations::new(), |_| ()).await.unwrap();
    assert_eq!(report.checked(), 0);
    manager.set_enabled(true);
    assert_eq!(manager.quarantined().await.unwrap(), [aside]);
    assert!(manager.list_states("carol").await.unwrap().is_empty());
    assert_eq!(manager.import_original(&original).await.unwrap().imported(), 1);
}
