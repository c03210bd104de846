//! States that expire, in files: what a file says of it, who removes it, and who does not.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use cogency_state::{
    Checksum, Error, FileBackend, Holder, LeaseAttempt, SavedAt, StateBackend as _, StateKey,
    StateManager,
};
use cogency_state_tests::page::Page;
use serde_json::Value;

use crate::place::{Place, block_on, key, names, number, turn};

const HOUR: Duration = Duration::from_secs(60 * 60);
const PAST: &str = "2001-01-01T00:00:00.000000Z";
const FUTURE: &str = "9999-01-01T00:00:00.000000Z";

/// A manager whose states expire.
fn mortal(place: &Place, ttl: Duration) -> StateManager {
    StateManager::builder(FileBackend::new(&place.root)).warm_bytes(0).ttl(ttl).build()
}

/// A state under a key that expired long ago.
async fn expired(place: &Place, key: &StateKey) {
    mortal(place, Duration::from_millis(1)).save_state(key, Page::of(1), None).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// The same document with another time, as this library would have written it.
fn expiring(document: &str, time: &str) -> String {
    let (head, rest) = document.split_once(",\n  \"checksum\": \"").unwrap();
    let lines = head.lines().map(|line| {
        let is_time = line.starts_with("  \"expires_at\": ");
        if is_time { format!("  \"expires_at\": \"{time}\",") } else { line.to_owned() }
    });
    let head = lines.collect::<Vec<_>>().join("\n");
    let (of_state, rest) = rest.split_at(16);
    let of_head = Checksum::of(head.as_bytes());
    format!("{head},\n  \"checksum\": \"{of_state} {of_head}{}", &rest[17..])
}

fn time(text: &Value) -> SystemTime {
    match SavedAt::from(text.as_str().unwrap().to_owned()) {
        SavedAt::Time(time) => time,
        other => panic!("{other}"),
    }
}

#[test]
fn a_state_that_expires_says_when_on_the_second_line_of_its_document() {
    let place = Place::new();
    block_on(async { turn(&mortal(&place, HOUR), "alice").await.unwrap() });
    let text = fs::read_to_string(place.file("alice")).unwrap();
    assert!(text.starts_with("{\n  \"schema_version\": \"1.0\",\n  \"expires_at\": \"2"), "{text}");
    let document: Value = serde_json::from_str(&text).unwrap();
    let lives = time(&document["expires_at"])
        .duration_since(time(&document["metadata"]["saved_at"]))
        .unwrap();
    assert!(lives >= HOUR && lives < HOUR + Duration::from_secs(60), "{lives:?}");
    // The next save says anew, and one without a ttl says nothing.
    block_on(async { turn(&place.manager(), "alice").await.unwrap() });
    assert!(!fs::read_to_string(place.file("alice")).unwrap().contains("expires_at"));
}

#[test]
fn documents_of_earlier_days_expire_when_they_say() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/expiring");
    for (name, is_there) in [("in-9999.json", true), ("in-2001.json", false)] {
        let place = Place::new();
        fs::create_dir_all(place.folder("alice")).unwrap();
        fs::copy(fixtures.join(name), place.file("alice")).unwrap();
        block_on(async {
            let listed = place.manager().list_states("alice").await.unwrap();
            assert_eq!(!listed.is_empty(), is_there, "{name}");
            let loaded = place.manager().load_state::<Vec<String>>(&key("alice")).await.unwrap();
            assert_eq!(loaded.is_some(), is_there, "{name}");
            let mut call = place.manager().begin::<Vec<String>>(&key("alice")).await.unwrap();
            assert_eq!(call.state.join(" "), if is_there { "hello" } else { "" }, "{name}");
            call.state.push("again".to_owned());
            call.commit().await.unwrap();
        });
    }
}

#[test]
fn promise_14_the_call_that_meets_an_expired_state_removes_it() {
    let place = Place::new();
    block_on(async {
        for user in ["alice", "bob", "carol"] {
            expired(&place, &key(user)).await;
        }
        let manager = place.manager();
        assert_eq!(number(&manager, "alice").await.unwrap(), 0);
        assert!(place.journal("alice").exists(), "a load holds no lock, and removes nothing");
        let call = manager.begin::<Page>(&key("alice")).await.unwrap();
        assert_eq!(names(&place.folder("alice")), ["lock"]);
        assert_eq!(call.state, Page::default());
        call.rollback().await;
        assert!(!manager.delete_state(&key("bob")).await.unwrap());
        assert_eq!(names(&place.root), ["carol"]);
        let conflict = manager.save_state(&key("carol"), Page::of(1), None).await;
        assert_eq!(conflict.unwrap().version, 1);
    });
}

#[test]
fn promise_14_remove_expired_leaves_nothing_of_what_has_expired_and_all_else() {
    let place = Place::new();
    let long = StateKey::new("é".repeat(300), "Ü".repeat(300)).unwrap();
    let sessions = ["a", "B", "*"].map(|session| StateKey::new("alice", session).unwrap());
    block_on(async {
        let backend = FileBackend::new(&place.root);
        assert_eq!(backend.remove_expired().await.unwrap(), 0);
        assert!(!place.root.exists());
        for key in sessions.iter().chain([&long, &key("damaged"), &key("in use")]) {
            expired(&place, key).await;
        }
        for user in ["damaged", "in use"].map(|user| place.root.join(user.replace(' ', "%20"))) {
            assert!(user.exists(), "{}", user.display());
        }
        turn(&place.manager(), "alice").await.unwrap();
        turn(&mortal(&place, HOUR), "bob").await.unwrap();
        fs::write(place.root.join("alice/notes"), "mine").unwrap();
        fs::create_dir(place.root.join("Theirs")).unwrap();
        // Damaged behind what says that it has expired.
        let damaged =
            fs::read_to_string(place.journal("damaged")).unwrap().replace("state\":", "x\":");
        fs::write(place.journal("damaged"), &damaged).unwrap();
        let lease = backend.acquire_lease(&key("in use"), &Holder::current()).await.unwrap();
        let LeaseAttempt::Acquired(lease) = lease else { panic!("{lease:?}") };
        // States of a process of its own are its own.
        let isolated = backend.clone().isolated_as("worker-1");
        let of_worker = StateManager::builder(isolated.clone()).ttl(Duration::from_millis(1));
        of_worker.build().save_state(&key("alice"), 1, None).await.unwrap();

        assert_eq!(backend.remove_expired().await.unwrap(), 4);
        assert_eq!(
            names(&place.root),
            ["@processes", "Theirs", "alice", "bob", "damaged", "in%20use"]
        );
        assert_eq!(names(&place.root.join("alice")), ["default", "notes"]);
        assert_eq!(fs::read_to_string(place.journal("damaged")).unwrap(), damaged);
        assert_eq!(number(&place.manager(), "alice").await.unwrap(), 1);
        assert_eq!(number(&place.manager(), "bob").await.unwrap(), 1);
        backend.release_lease(&lease).await.unwrap();
        assert_eq!(backend.remove_expired().await.unwrap(), 1);
        assert_eq!(isolated.remove_expired().await.unwrap(), 1);
        assert_eq!(backend.remove_expired().await.unwrap(), 0);
    });
}

#[test]
fn promise_05_remove_expired_disturbs_no_call() {
    let place = Place::new();
    let is_over = Arc::new(AtomicBool::new(false));
    block_on(async {
        let remover = {
            let (backend, is_over) = (FileBackend::new(&place.root), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut removed = 0;
                while !is_over.load(Ordering::Relaxed) {
                    removed += backend.remove_expired().await.unwrap();
                }
                removed
            })
        };
        let (manager, mut last) = (mortal(&place, Duration::from_millis(5)), 0);
        for _ in 0..300 {
            let mut call = manager.begin::<Page>(&key("alice")).await.unwrap();
            let found = call.state.number;
            assert!(found == 0 || found == last, "{found} after {last}");
            call.state.turn();
            if found % 3 == 2 {
                // Expires while it is held, and is saved over all the same.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            call.commit().await.unwrap();
            last = found + 1;
            tokio::time::sleep(Duration::from_millis(last % 5 * 2)).await;
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(remover.await.unwrap() > 0);
    });
}

#[test]
fn promise_10_what_a_document_says_of_its_time_is_checked_as_all_else() {
    let place = Place::new();
    let manager = place.manager();
    block_on(async {
        turn(&mortal(&place, HOUR), "alice").await.unwrap();
        place.without_journal("alice").await;
        let written = fs::read_to_string(place.file("alice")).unwrap();
        assert_eq!(expiring(&written, FUTURE).len(), written.len());
        fs::write(place.file("alice"), expiring(&written, PAST)).unwrap();
        assert_eq!(number(&manager, "alice").await.unwrap(), 0);

        // Changed by accident or by hand: it is no reason to remove a state, or to hide it.
        let changed = expiring(&written, FUTURE).replace(FUTURE, PAST);
        fs::write(place.file("alice"), &changed).unwrap();
        let error = number(&manager, "alice").await.unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        assert_eq!(manager.list_states("alice").await.unwrap(), [key("alice")]);
        assert_eq!(FileBackend::new(&place.root).remove_expired().await.unwrap(), 0);
        manager.begin::<Page>(&key("alice")).await.unwrap_err();
        assert_eq!(fs::read_to_string(place.file("alice")).unwrap(), changed);
        assert!(manager.delete_state(&key("alice")).await.unwrap());
    });
}

#[test]
fn a_time_that_was_edited_by_hand_counts_once_the_checksum_is_removed() {
    let place = Place::new();
    let manager = place.manager();
    block_on(async {
        turn(&mortal(&place, HOUR), "alice").await.unwrap();
        place.without_journal("alice").await;
        let written = expiring(&fs::read_to_string(place.file("alice")).unwrap(), FUTURE);
        let lines = written.lines().filter(|line| !line.contains("\"checksum\""));
        let edited = lines.collect::<Vec<_>>().join("\n");
        let compact = serde_json::from_str::<Value>(&edited).unwrap().to_string();
        for document in [&edited, &compact] {
            fs::write(place.file("alice"), document).unwrap();
            assert_eq!(number(&manager, "alice").await.unwrap(), 1);
            fs::write(place.file("alice"), document.replace(FUTURE, PAST)).unwrap();
            assert_eq!(number(&manager, "alice").await.unwrap(), 0);
        }
        fs::write(place.file("alice"), edited.replace(FUTURE, PAST)).unwrap();
        assert_eq!(manager.list_states("alice").await.unwrap(), []);
        // What is no time is not taken for one, nor for none.
        for wrong in ["tomorrow", "", "2001-01-01", "2001-01-01T00:00:00"] {
            fs::write(place.file("alice"), edited.replace(FUTURE, wrong)).unwrap();
            let error = number(&manager, "alice").await.unwrap_err();
            assert!(matches!(error, Error::Corrupt { .. }), "{wrong}: {error}");
            assert_eq!(manager.list_states("alice").await.unwrap(), [key("alice")]);
        }
        // A person may write it without fractions of a second.
        fs::write(place.file("alice"), edited.replace(FUTURE, "2001-01-01T00:00:00Z")).unwrap();
        assert_eq!(number(&manager, "alice").await.unwrap(), 0);
        assert_eq!(turn(&manager, "alice").await.unwrap(), 1);
    });
}

/// As `jq -S` leaves them, for example.
#[test]
fn a_document_whose_fields_were_sorted_by_hand_expires_like_any_other() {
    let place = Place::new();
    let backend = FileBackend::new(&place.root);
    block_on(async {
        for user in ["alice", "bob"] {
            turn(&mortal(&place, HOUR), user).await.unwrap();
            place.without_journal(user).await;
            let written = fs::read_to_string(place.file(user)).unwrap();
            let time = if user == "alice" { PAST } else { FUTURE };
            let mut fields: BTreeMap<String, Value> =
                serde_json::from_str(&expiring(&written, time)).unwrap();
            fields.remove("checksum").unwrap();
            fs::write(place.file(user), serde_json::to_string_pretty(&fields).unwrap()).unwrap();
        }
        assert_eq!(backend.list_states("alice").await.unwrap(), []);
        assert_eq!(backend.list_states("bob").await.unwrap(), [key("bob")]);
        assert_eq!(backend.remove_expired().await.unwrap(), 1);
        assert!(!place.file("alice").exists() && place.file("bob").exists());
    });
}
