//! 1. Zero ceremony: one attribute and serde's derives.

use cogency_state::{Error, FileBackend, MemoryBackend, StateManager, robust};
use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;

use crate::places::on_every_backend;

#[derive(Default, Serialize, Deserialize)]
struct Chat {
    turns: Vec<String>,
}

#[robust(persist = manager)]
async fn chat(
    state: &mut Chat,
    manager: &StateManager,
    user_id: &str,
    query: &str,
) -> Result<String, Error> {
    state.turns.push(query.to_owned());
    Ok(state.turns.join(" "))
}

on_every_backend! {
    async fn the_first_call_sees_the_default_and_the_next_what_the_last_one_left(place: Place) {
        let manager = place.manager();
        assert_eq!(chat(&manager, "alice", "hello").await.unwrap(), "hello");
        assert_eq!(chat(&manager, "alice", "again").await.unwrap(), "hello again");
        assert_eq!(chat(&manager, "bob", "hi").await.unwrap(), "hi");
        // Another manager finds the same, without anything that this process remembers.
        assert_eq!(chat(&place.manager(), "alice", "!").await.unwrap(), "hello again !");
    }
}

#[robust(persist = "memory")]
async fn by_name(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[robust(persist = "file")]
async fn on_file(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[test]
fn a_name_stands_for_one_backend_in_a_runtime_and_for_another_in_the_next() {
    for _ in 0..2 {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            assert_eq!(by_name("alice").await.unwrap(), 1);
            assert_eq!(by_name("alice").await.unwrap(), 2);
        });
    }
}

#[tokio::test]
async fn a_program_replaces_what_a_name_stands_for_at_its_start() {
    let manager = StateManager::new(MemoryBackend::new());
    manager.clone().install("file").unwrap();
    assert_eq!(on_file("alice").await.unwrap(), 1);
    let key = cogency_state::StateKey::for_user("alice").unwrap();
    assert_eq!(manager.load_state::<u32>(&key).await.unwrap().unwrap().state, 1);
}

#[tokio::test]
async fn a_name_that_is_in_use_cannot_be_replaced() {
    by_name("alice").await.unwrap();
    let error = StateManager::new(MemoryBackend::new()).install("memory").unwrap_err();
    assert!(matches!(error, Error::Config { .. }), "{error}");
}

#[tokio::test]
async fn a_misspelled_name_cannot_be_replaced() {
    let error = StateManager::new(MemoryBackend::new()).install("fiel").unwrap_err();
    assert!(matches!(error, Error::Config { .. }), "{error}");
}

#[tokio::test]
async fn a_url_gives_a_manager_over_its_backend() {
    let folder = tempfile::tempdir().unwrap();
    let manager =
        StateManager::connect(&format!("file:{}", folder.path().display())).await.unwrap();
    chat(&manager, "alice", "hello").await.unwrap();
    let same = StateManager::new(FileBackend::new(folder.path()));
    assert_eq!(chat(&same, "alice", "again").await.unwrap(), "hello again");
}

#[tokio::test]
async fn a_url_that_names_no_backend_gives_an_error_that_names_those_that_exist() {
    for url in ["fiel:data", "data/agents", "file:", "file:x?proces=1", "memory:x", ""] {
        let error = StateManager::connect(url).await.unwrap_err().to_string();
        assert!(error.contains("memory:") && error.contains("file:<folder>"), "{url}: {error}");
    }
    let error = StateManager::connect("redsi").await.unwrap_err().to_string();
    assert!(error.contains("`redis`") && error.contains("redis://<host>"), "{error}");
    let error = StateManager::connect("redis://:hunter2@host").await.unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_file_url_has_no_host_but_may_have_the_place_of_one() {
    let error = StateManager::connect("file://host/agents").await.unwrap_err();
    assert!(matches!(error, Error::Config { .. }), "{error}");
    assert!(error.to_string().contains("no host"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    chat(&StateManager::connect(&url).await.unwrap(), "alice", "hello").await.unwrap();
    let same = StateManager::new(FileBackend::new(folder.path()));
    assert_eq!(chat(&same, "alice", "again").await.unwrap(), "hello again");
}

#[tokio::test]
async fn an_isolated_process_sees_only_its_own_states_and_finds_them_again_by_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let shared = StateManager::new(FileBackend::new(folder.path()));
    let isolated = |id: &str| StateManager::new(FileBackend::new(folder.path()).isolated_as(id));
    chat(&shared, "alice", "shared").await.unwrap();
    assert_eq!(chat(&isolated("one"), "alice", "one").await.unwrap(), "one");
    assert_eq!(chat(&isolated("two"), "alice", "two").await.unwrap(), "two");
    assert_eq!(chat(&isolated("one"), "alice", "again").await.unwrap(), "one again");
    assert_eq!(chat(&shared, "alice", "again").await.unwrap(), "shared again");
    assert_eq!(shared.list_states("alice").await.unwrap().len(), 1);
    assert!(shared.list_states("@processes").await.unwrap().is_empty());
    // An empty id is one of its own too, and does not look into the others' folders.
    assert_eq!(chat(&isolated(""), "one", "mine").await.unwrap(), "mine");
    assert_eq!(isolated("").list_states("one").await.unwrap().len(), 1);
    let unnamed = StateManager::new(FileBackend::new(folder.path()).isolated());
    assert_eq!(chat(&unnamed, "alice", "mine").await.unwrap(), "mine");
}
