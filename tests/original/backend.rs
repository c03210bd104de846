//! 1 to 8: what a backend does.

use cogency_state::{AgentState, Error, FileBackend, StateKey, StateManager};
use tokio::task::JoinSet;

use crate::places::{Place, key, on_every_backend};

fn with_message(user_id: &str, content: &str) -> AgentState {
    let mut state = AgentState::new("what is it?", user_id);
    state.add_message("user", content);
    state
}

on_every_backend! {
    async fn original_01_a_saved_state_loads_with_equal_query_user_messages_and_metadata(place: Place) {
        let state = with_message("alice", "hello");
        let saved = place.manager().save_state(&key("alice"), state.clone(), None).await.unwrap();
        let record = place.manager().backend().load_state(&key("alice")).await.unwrap().unwrap();
        let loaded = place.manager().load_state::<AgentState>(&key("alice")).await.unwrap().unwrap();
        assert_eq!((&*loaded.state.query, &*loaded.state.user_id), ("what is it?", "alice"));
        assert_eq!(loaded.state, state);
        assert_eq!(loaded.metadata, record.metadata);
        assert_eq!(loaded.revision, saved);
    }

    async fn original_02_a_key_that_is_absent_gives_none(place: Place) {
        assert!(place.manager().load_state::<AgentState>(&key("nobody")).await.unwrap().is_none());
    }

    async fn original_03_a_state_that_was_deleted_is_absent(place: Place) {
        let manager = place.manager();
        manager.save_state(&key("alice"), with_message("alice", "hello"), None).await.unwrap();
        assert!(manager.delete_state(&key("alice")).await.unwrap());
        assert!(place.manager().load_state::<AgentState>(&key("alice")).await.unwrap().is_none());
    }

    async fn original_06_overlapping_saves_leave_a_readable_record(place: Place) {
        let mut saving = JoinSet::new();
        for number in 0..20 {
            let manager = place.manager();
            saving.spawn(async move {
                let state = with_message("alice", &number.to_string());
                manager.save_state(&key("alice"), state, None).await
            });
        }
        let saved = saving.join_all().await;
        assert_eq!(saved.iter().filter(|saved| saved.is_ok()).count(), 1, "{saved:?}");
        let loaded = place.manager().load_state::<AgentState>(&key("alice")).await.unwrap().unwrap();
        assert_eq!(loaded.state.messages.len(), 1);
    }

    async fn original_08_a_list_has_exactly_the_keys_of_the_user(place: Place) {
        let manager = place.manager();
        let of = |user: &str, session: &str| StateKey::new(user, session).unwrap();
        for key in [of("al", "s1"), of("al", "ice"), of("alice", "s3"), of("al_ice", "s2")] {
            manager.save_state(&key, AgentState::default(), None).await.unwrap();
        }
        assert_eq!(manager.list_states("al").await.unwrap(), [of("al", "ice"), of("al", "s1")]);
        assert_eq!(manager.list_states("alice").await.unwrap(), [of("alice", "s3")]);
        assert_eq!(manager.list_states("nobody").await.unwrap(), []);
    }
}

#[tokio::test]
async fn original_04_isolated_processes_never_see_each_others_states() {
    let folder = tempfile::tempdir().unwrap();
    let process = |id: &str| StateManager::new(FileBackend::new(folder.path()).isolated_as(id));
    let (one, other) = (process("one"), process("other"));
    assert_ne!(one.backend().location(), other.backend().location());
    one.save_state(&key("alice"), with_message("alice", "hello"), None).await.unwrap();
    assert!(other.load_state::<AgentState>(&key("alice")).await.unwrap().is_none());
    assert!(other.list_states("alice").await.unwrap().is_empty());
    // The same process comes back, unlike the original's.
    assert!(process("one").load_state::<AgentState>(&key("alice")).await.unwrap().is_some());
}

#[tokio::test]
async fn original_05_an_unknown_schema_version_is_not_loaded() {
    for place in Place::with_documents() {
        let manager = place.manager();
        manager.save_state(&key("alice"), AgentState::default(), None).await.unwrap();
        place.put_document("alice", &crate::fixtures::file("schema-2.0_0f1e2d3c"));
        let error = place.manager().load_state::<AgentState>(&key("alice")).await.unwrap_err();
        assert!(matches!(error, Error::SchemaVersion { .. }), "{error}");
    }
}

#[tokio::test]
async fn original_07_a_corrupt_record_is_an_error_and_no_panic() {
    for place in Place::with_documents() {
        let manager = place.manager();
        manager.save_state(&key("alice"), AgentState::default(), None).await.unwrap();
        place.put_document("alice", &crate::fixtures::file("truncated_0f1e2d3c"));
        let error = place.manager().load_state::<AgentState>(&key("alice")).await.unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    }
}
