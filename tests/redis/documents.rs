//! What is stored, and what other programs stored.

use cogency_state::{Error, RedisBackend, StateBackend as _, StateKey, StateManager};
use cogency_state_tests::redis::{fresh_prefix, shared};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{key, lease};

/// What Redis holds under the rule of the original's roadmap.
#[derive(Deserialize)]
struct Original {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    case: String,
    key: String,
    value: String,
    not_strict: String,
}

impl Entry {
    /// The key that the original's rule made the name of.
    fn state_key(&self) -> StateKey {
        let user_id = self.key.strip_prefix("cogency:state:").unwrap();
        key(user_id.strip_suffix(":default").unwrap())
    }

    /// Stores it as the original did, but below a prefix.
    fn store(&self, prefix: &str) -> String {
        let name = self.key.replacen("cogency", prefix, 1);
        shared().run::<()>(&["SET", &name, &self.value]);
        name
    }
}

fn entries() -> Vec<Entry> {
    let original = include_str!("../fixtures/original/redis.json");
    serde_json::from_str::<Original>(original).unwrap().entries
}

fn backend(prefix: &str) -> RedisBackend {
    RedisBackend::builder(&shared().url()).prefix(prefix).build().unwrap()
}

#[tokio::test]
async fn a_record_is_one_json_string_under_the_originals_key() {
    let manager = StateManager::connect(&format!("{}/5", shared().url())).await.unwrap();
    manager.save_state(&key("alice"), json!({"turns": ["hello"]}), None).await.unwrap();
    let found: Vec<String> = shared().run(&[
        "EVAL",
        "redis.call('SELECT', 5) return {\
        redis.call('GET', 'cogency:state:alice:default'),\
        redis.call('TYPE', 'cogency:state:alice:default').ok}",
        "0",
    ]);
    let document: Value = serde_json::from_str(&found[0]).unwrap();
    assert_eq!(document["schema_version"], "1.0");
    assert_eq!(document["state"], json!({"turns": ["hello"]}));
    assert_eq!(document["metadata"]["llm_provider"], "unknown");
    assert_eq!(found[1], "string");
}

#[tokio::test]
async fn what_the_original_stored_loads_and_is_saved_over_once() {
    let prefix = fresh_prefix();
    let (backend, entries) = (backend(&prefix), entries());
    for entry in &entries {
        entry.store(&prefix);
    }
    // Names that the original wrote without escapes are brought in first.
    assert_eq!(backend.adopt().await.unwrap(), entries.len());
    for entry in entries.iter().filter(|entry| entry.not_strict.is_empty()) {
        let (manager, key) = (crate::strict(backend.clone()), entry.state_key());
        let loaded = manager.load_state::<Value>(&key).await.unwrap().unwrap();
        let original: Value = serde_json::from_str(&entry.value).unwrap();
        assert_eq!(loaded.state, original["state"], "{}", entry.case);
        assert_eq!(loaded.revision.version, 0);

        let next = manager.save_state(&key, json!("ours"), Some(loaded.revision)).await.unwrap();
        assert_eq!(next.version, 1, "{}", entry.case);
        let stale = manager.save_state(&key, json!("late"), Some(loaded.revision)).await;
        assert!(matches!(stale, Err(Error::Conflict { expected: 0, found: 1, .. })), "{stale:?}");
        let loaded = manager.load_state::<Value>(&key).await.unwrap().unwrap();
        assert_eq!(loaded.state, "ours", "{}", entry.case);
    }
}

#[tokio::test]
async fn what_the_original_stored_and_is_no_json_is_refused_and_left() {
    let prefix = fresh_prefix();
    let entry = entries().into_iter().find(|entry| !entry.not_strict.is_empty()).unwrap();
    let name = entry.store(&prefix);
    let manager = crate::strict(backend(&prefix));
    let error = manager.begin::<Value>(&entry.state_key()).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    assert_eq!(shared().run::<String>(&["GET", &name]), entry.value);
}

#[tokio::test]
async fn what_another_program_changed_since_it_was_loaded_is_not_saved_over() {
    let prefix = fresh_prefix();
    let manager = crate::strict(backend(&prefix));
    let entry = &entries()[0];
    let name = entry.store(&prefix);
    let loaded = manager.load_state::<Value>(&entry.state_key()).await.unwrap().unwrap();
    // Of the same length, and with the same beginning.
    for changed in [entry.value.replace("fast", "deep"), format!("{} ", entry.value)] {
        assert_ne!(changed, entry.value);
        shared().run::<()>(&["SET", &name, &changed]);
        let key = entry.state_key();
        let save = manager.save_state(&key, json!("ours"), Some(loaded.revision)).await;
        assert!(matches!(save, Err(Error::Conflict { .. })), "{save:?}");
        assert_eq!(shared().run::<String>(&["GET", &name]), changed);
    }
}

#[tokio::test]
async fn a_record_that_a_hand_changed_as_the_guide_says_is_not_saved_over_and_loads() {
    let prefix = fresh_prefix();
    let manager = crate::strict(backend(&prefix));
    // So large that it is kept at hand.
    manager.save_state(&key("alice"), "xx".repeat(10_000), None).await.unwrap();
    let call = manager.begin::<String>(&key("alice")).await.unwrap();
    let name = format!("{prefix}:state:alice:default");
    let document: String = shared().run(&["GET", &name]);
    let lines = document.lines().filter(|line| !line.contains("\"checksum\""));
    let fresh = "\"write_id\": \"00000000-0000-4000-8000-000000000000\",";
    let edited: Vec<&str> =
        lines.map(|line| if line.contains("\"write_id\"") { fresh } else { line }).collect();
    shared().run::<()>(&["SET", &name, &edited.join("\n").replace("xx", "xy")]);
    let error = call.commit().await.unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error}");
    let loaded = manager.load_state::<String>(&key("alice")).await.unwrap().unwrap();
    assert_eq!(loaded.state, "xy".repeat(10_000));
}

#[tokio::test]
async fn records_of_other_programs_are_listed_once_they_are_adopted_or_saved_over() {
    let prefix = fresh_prefix();
    let backend = backend(&prefix);
    let manager = crate::strict(backend.clone());
    let entries: Vec<_> =
        entries().into_iter().filter(|entry| entry.not_strict.is_empty()).collect();
    for entry in &entries {
        entry.store(&prefix);
        assert!(backend.list_states(entry.state_key().user_id()).await.unwrap().is_empty());
    }
    let key = entries[0].state_key();
    let loaded = manager.load_state::<Value>(&key).await.unwrap().unwrap();
    manager.save_state(&key, json!("ours"), Some(loaded.revision)).await.unwrap();
    assert_eq!(backend.list_states(key.user_id()).await.unwrap(), [key]);

    assert_eq!(backend.adopt().await.unwrap(), entries.len() - 1);
    assert_eq!(backend.adopt().await.unwrap(), 0);
    for entry in &entries {
        let key = entry.state_key();
        assert_eq!(backend.list_states(key.user_id()).await.unwrap(), [key]);
    }
}

#[tokio::test]
async fn a_name_without_escapes_is_not_adopted_over_a_record_of_ours() {
    let prefix = fresh_prefix();
    let backend = backend(&prefix);
    crate::strict(backend.clone()).save_state(&key("a:b"), 1_u32, None).await.unwrap();
    let name = format!("{prefix}:state:a:b:default");
    shared().run::<()>(&["SET", &name, "theirs"]);
    assert_eq!(backend.adopt().await.unwrap(), 0);
    assert_eq!(shared().run::<String>(&["GET", &name]), "theirs");
    let record = backend.load_state(&key("a:b")).await.unwrap().unwrap();
    assert_eq!(record.state, "1");
}

#[test]
fn a_prefix_whose_names_could_be_those_of_another_one_or_of_another_slot_is_refused() {
    for prefix in ["", "a{b", "a}", "a\nb", "a:state", "a:state:b", ":state:"] {
        let error = RedisBackend::builder(&shared().url()).prefix(prefix).build().unwrap_err();
        assert!(matches!(error, Error::Config { .. }), "{prefix:?}: {error}");
    }
    for prefix in ["a", "a:b", "state", "a:states", "a*", "ünï"] {
        RedisBackend::builder(&shared().url()).prefix(prefix).build().unwrap();
    }
}

#[tokio::test]
async fn a_record_that_another_program_removed_is_gone_and_leaves_the_index() {
    let prefix = fresh_prefix();
    let backend = backend(&prefix);
    let manager = crate::strict(backend.clone());
    for session in ["a", "b"] {
        let key = StateKey::new("alice", session).unwrap();
        manager.save_state(&key, 1_u32, None).await.unwrap();
    }
    shared().run::<()>(&["DEL", &format!("{prefix}:state:alice:a")]);
    let index = format!("{prefix}:index:alice");
    let listed = backend.list_states("alice").await.unwrap();
    assert_eq!(listed, [StateKey::new("alice", "b").unwrap()]);
    assert_eq!(shared().run::<Vec<String>>(&["HKEYS", &index]), ["b"]);
}

#[tokio::test]
async fn nothing_is_left_of_a_deleted_state_where_no_history_is_kept() {
    let prefix = fresh_prefix();
    let builder = RedisBackend::builder(&shared().url()).prefix(&*prefix).without_history();
    let manager = crate::strict(builder.build().unwrap());
    for state in ["small".to_owned(), "x".repeat(1 << 20)] {
        manager.save_state(&key("alice"), state, None).await.unwrap();
        // No trace of how it came there, and no end of its time.
        let name = format!("{prefix}:state:alice:default");
        assert_eq!(shared().run::<i64>(&["TTL", &name]), -1);
        assert_eq!(keys_below(&prefix), 2);
        assert!(manager.delete_state(&key("alice")).await.unwrap());
        assert_eq!(keys_below(&prefix), 0);
    }
}

fn keys_below(prefix: &str) -> usize {
    shared().run::<Vec<String>>(&["KEYS", &format!("{prefix}:*")]).len()
}

#[tokio::test]
async fn a_lease_shows_who_holds_it_and_is_swept_after_a_day() {
    let prefix = fresh_prefix();
    let backend = backend(&prefix);
    let _lease = lease(&backend, &key("alice")).await;
    let name = format!("{prefix}:lease:{{{prefix}:state:alice:default}}");
    let holder: String = shared().run(&["GET", &name]);
    assert!(holder.contains(&std::process::id().to_string()), "{holder}");
    let seconds: i64 = shared().run(&["TTL", &name]);
    assert!((86_000..=86_410).contains(&seconds), "{seconds}");
}

/// Between the look at another program's value and the save over it there is no lock: what is
/// tested here is the script itself.
#[test]
fn a_value_of_another_program_that_grew_at_the_last_moment_is_not_saved_over() {
    let script = include_str!("../../cogency-state/src/backend/redis/scripts/save.lua");
    let prefix = fresh_prefix();
    let [record, lease, history, contents, index] =
        ["record", "lease", "history", "contents", "index"].map(|n| format!("{prefix}:{n}"));
    shared().run::<()>(&["SET", &lease, "1"]);
    for (value, answer) in [("theirs, longer", "stale"), ("ours", "stale"), ("theirs", "done")] {
        shared().run::<()>(&["SET", &record, value]);
        let keys = ["5", &*record, &lease, &history, &contents, &index];
        let bytes = ["1", "theirs", "new", "0", "5", "2"];
        let (value, no_entry) = (["new value", "0", ""], ["", "", "", "", "1"]);
        let rest = ["6", "default", "write id"];
        let command = [&["EVAL", script][..], &keys, &bytes, &value, &no_entry, &rest].concat();
        assert_eq!(shared().run::<String>(&command), answer);
    }
    assert_eq!(shared().run::<String>(&["GET", &record]), "new value");
}

/// A note that is forgotten is the one that was seen: whoever made the record anew has noted it
/// anew.
#[test]
fn a_note_that_was_made_anew_is_not_forgotten() {
    let note = include_str!("../../cogency-state/src/backend/redis/scripts/note.lua");
    let forget = include_str!("../../cogency-state/src/backend/redis/scripts/forget.lua");
    let index = format!("{}:index", fresh_prefix());
    let noted = || {
        shared().run::<()>(&["EVAL", note, "1", &index, "default", "write id"]);
        shared().run::<String>(&["HGET", &index, "default"])
    };
    let (first, second) = (noted(), noted());
    assert_ne!(first, second);
    for (seen, age, left) in [(&first, "0", 1), (&second, "60", 1), (&second, "0", 0)] {
        shared().run::<()>(&["EVAL", forget, "1", &index, "default", seen, age]);
        assert_eq!(shared().run::<i32>(&["HLEN", &index]), left);
    }
}

#[tokio::test]
async fn a_record_that_is_renamed_keeps_its_time_and_one_that_changed_meanwhile_is_left() {
    let prefix = fresh_prefix();
    let backend = backend(&prefix);
    let (found, name) =
        (format!("{prefix}:state:a:b:default"), format!("{prefix}:state:a%3Ab:default"));
    shared().run::<()>(&["SET", &found, "theirs", "EX", "600"]);
    assert_eq!(backend.adopt().await.unwrap(), 1);
    assert_eq!(keys_below(&prefix), 2, "the record and the index");
    assert!((500..=600).contains(&shared().run::<i64>(&["TTL", &name])));

    // Somebody stopped between the copy and the removal.
    shared().run::<()>(&["SET", &found, "theirs"]);
    assert_eq!(backend.adopt().await.unwrap(), 1);
    assert_eq!(keys_below(&prefix), 2);
    let remove = include_str!("../../cogency-state/src/backend/redis/scripts/remove.lua");
    shared().run::<()>(&["EVAL", remove, "1", &name, "other"]);
    assert_eq!(shared().run::<String>(&["GET", &name]), "theirs");
}
