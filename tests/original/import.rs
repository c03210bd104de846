//! A folder of the original is taken in: each file once, nothing overwritten.

use std::fs;
use std::path::Path;

use cogency_state::{AgentState, Error, ImportOutcome, ImportReport, StateKey, StateManager};

use crate::fixtures;
use crate::places::{Place, key, on_every_backend};

fn outcome<'a>(report: &'a ImportReport, name: &str) -> &'a ImportOutcome {
    let name = format!("{name}_0f1e2d3c.json");
    let file = report.files.iter().find(|file| file.name == name);
    &file.unwrap_or_else(|| panic!("no {name} in\n{report}")).outcome
}

async fn query(manager: &StateManager, key: &StateKey) -> String {
    manager.load_state::<AgentState>(key).await.unwrap().unwrap().state.query
}

fn of_process(user: &str) -> StateKey {
    StateKey::new(user, "0f1e2d3c").unwrap()
}

/// A state of alice's, as one of the original's processes left it.
fn put(folder: &Path, process: &str, query: &str, saved_at: &str) {
    let document = serde_json::json!({
        "state": {"query": query, "user_id": "alice"},
        "metadata": {"saved_at": saved_at},
        "schema_version": "1.0",
        "process_id": process,
    });
    let name = format!("alice_{process}_{process}.json");
    fs::write(folder.join(name), document.to_string()).unwrap();
}

on_every_backend! {
    async fn every_file_is_imported_or_reported(place: Place) {
        let manager = place.manager();
        let report = manager.import_original(fixtures::folder()).await.unwrap();
        assert_eq!((report.files.len(), report.imported()), (13, 10), "{report}");
        for unreadable in ["nonfinite_0f1e2d3c", "schema-2.0_0f1e2d3c", "truncated_0f1e2d3c"] {
            let outcome = outcome(&report, unreadable);
            assert!(matches!(outcome, ImportOutcome::Unreadable(_)), "{outcome}");
        }
        for user in ["ünï-日本:a/b", "actions", "custom-metadata"] {
            let call = manager.begin::<AgentState>(&key(user)).await.unwrap();
            assert_eq!(call.state.user_id, user);
            call.rollback().await;
        }
        let loaded = manager.load_state::<AgentState>(&key("custom-metadata")).await.unwrap().unwrap();
        assert_eq!(loaded.metadata.custom["custom_session_id"], "abc123");
        assert_eq!(loaded.metadata.saved_at.unwrap().to_string(), "2025-07-28T18:07:53.000001");
    }

    async fn importing_again_changes_nothing_also_when_the_agents_have_gone_on(place: Place) {
        let manager = place.manager();
        manager.import_original(fixtures::folder()).await.unwrap();
        let mut call = manager.begin::<AgentState>(&key("messages")).await.unwrap();
        call.state.begin_query("since then");
        call.commit().await.unwrap();
        let before = manager.backend().load_state(&key("messages")).await.unwrap();
        let report = place.manager().import_original(fixtures::folder()).await.unwrap();
        assert_eq!(report.imported(), 0, "{report}");
        assert_eq!(outcome(&report, "messages_0f1e2d3c"), &ImportOutcome::AlreadyThere(key("messages")));
        assert_eq!(manager.backend().load_state(&key("messages")).await.unwrap(), before);
        assert_eq!(manager.list_states("messages").await.unwrap(), [key("messages")]);
    }

    async fn a_users_newest_state_is_their_default_and_older_ones_are_sessions(place: Place) {
        let (folder, manager) = (tempfile::tempdir().unwrap(), place.manager());
        put(folder.path(), "aaaaaaaa", "newest", "2025-07-29T00:00:00");
        put(folder.path(), "bbbbbbbb", "oldest", "2025-07-27T00:00:00");
        put(folder.path(), "cccccccc", "middle", "2025-07-28T00:00:00");
        manager.import_original(folder.path()).await.unwrap();
        assert_eq!(query(&manager, &key("alice")).await, "newest");
        let session = |process| StateKey::new("alice", process).unwrap();
        assert_eq!(query(&manager, &session("bbbbbbbb")).await, "oldest");
        assert_eq!(query(&manager, &session("cccccccc")).await, "middle");
        // One that came later is imported beside them, and none of them again.
        put(folder.path(), "dddddddd", "late", "2025-07-30T00:00:00");
        let report = manager.import_original(folder.path()).await.unwrap();
        assert_eq!(report.imported(), 1, "{report}");
        assert_eq!(query(&manager, &key("alice")).await, "newest");
        assert_eq!(query(&manager, &session("dddddddd")).await, "late");
    }

    async fn nothing_that_is_there_is_overwritten(place: Place) {
        let manager = place.manager();
        for key in [key("actions"), key("messages"), of_process("messages")] {
            manager.save_state(&key, AgentState::new("mine", "me"), None).await.unwrap();
        }
        let report = manager.import_original(fixtures::folder()).await.unwrap();
        let imported = ImportOutcome::Imported(of_process("actions"));
        assert_eq!(outcome(&report, "actions_0f1e2d3c"), &imported);
        let taken = ImportOutcome::Taken(of_process("messages"));
        assert_eq!(outcome(&report, "messages_0f1e2d3c"), &taken);
        for key in [key("actions"), key("messages"), of_process("messages")] {
            assert_eq!(query(&manager, &key).await, "mine");
        }
    }
}

#[tokio::test]
async fn an_integer_that_would_be_rounded_is_reported_and_not_imported() {
    let folder = tempfile::tempdir().unwrap();
    let document = fixtures::file("empty_0f1e2d3c");
    let document =
        document.replace("\"result\": null", "\"result\": 123456789012345678901234567890");
    fs::write(folder.path().join("empty_0f1e2d3c_0f1e2d3c.json"), document).unwrap();
    let report = Place::memory().manager().import_original(folder.path()).await.unwrap();
    assert!(matches!(outcome(&report, "empty_0f1e2d3c"), ImportOutcome::Unreadable(_)), "{report}");
}

#[tokio::test]
async fn what_is_no_file_of_the_originals_is_not_followed_and_a_missing_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let linked = fixtures::folder().join("empty_0f1e2d3c_0f1e2d3c.json");
    std::os::unix::fs::symlink(linked, folder.path().join("link_0f1e2d3c.json")).unwrap();
    fs::create_dir(folder.path().join("folder.json")).unwrap();
    fs::write(folder.path().join("half.tmp"), "{").unwrap();
    let manager = Place::memory().manager();
    assert!(manager.import_original(folder.path()).await.unwrap().files.is_empty());
    let error = manager.import_original(folder.path().join("absent")).await.unwrap_err();
    assert!(matches!(error, Error::Backend { .. }), "{error}");
}
