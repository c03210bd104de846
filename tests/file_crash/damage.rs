//! Records that something else than a save has changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cogency_state::{Error, FileBackend, Revision, StateKey, StateManager};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::place::{Place, block_on, key};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Small {
    count: u32,
    said: Vec<String>,
}

/// A record, and every way to damage what it is stored in.
struct Damage {
    _place: Place,
    manager: StateManager,
    state: Small,
    revision: Revision,
    /// What is damaged.
    file: PathBuf,
    contents: Vec<u8>,
}

/// In which file a record is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Journal,
    /// As before there were journals.
    Document,
}

impl Damage {
    async fn new(form: Form) -> Self {
        Self::with(form, Place::manager).await
    }

    async fn with(form: Form, manager: impl FnOnce(&Place) -> StateManager) -> Self {
        let place = Place::new();
        let manager = manager(&place);
        let state = Small { count: 4711, said: vec!["hello".into(), "wörld \"x\"".into()] };
        let revision = manager.save_state(&key("alice"), state.clone(), None).await.unwrap();
        FileBackend::new(&place.root).write_copy(&key("alice")).await.unwrap();
        let file = match form {
            Form::Journal => place.journal("alice"),
            Form::Document => {
                fs::remove_file(place.journal("alice")).unwrap();
                place.file("alice")
            }
        };
        let contents = fs::read(&file).unwrap();
        Self { _place: place, manager, state, revision, file, contents }
    }

    /// Damage is detected, and then nothing is saved over it; or it changes nothing, and `false`
    /// is given.
    async fn is_detected(&self, what: &str, damaged: &[u8]) -> bool {
        fs::write(&self.file, damaged).unwrap();
        match self.manager.load_state::<Small>(&key("alice")).await {
            Ok(loaded) => {
                let loaded = loaded.map(|loaded| loaded.state);
                assert_eq!(loaded.as_ref(), Some(&self.state), "{what}: another state");
                false
            }
            Err(Error::Corrupt { .. } | Error::SchemaVersion { .. }) => {
                let listed = self.manager.list_states("alice").await.unwrap();
                assert_eq!(listed, [key("alice")], "{what}: hidden");
                self.assert_no_save_replaces(what, damaged).await;
                true
            }
            Err(other) => panic!("{what}: {other}"),
        }
    }

    async fn assert_no_save_replaces(&self, what: &str, damaged: &[u8]) {
        for expected in [None, Some(self.revision)] {
            let saved = self.manager.save_state(&key("alice"), self.state.clone(), expected).await;
            let refused = matches!(saved, Err(Error::Corrupt { .. } | Error::SchemaVersion { .. }));
            assert!(refused, "{what}: {saved:?}");
        }
        assert_eq!(fs::read(&self.file).unwrap(), damaged, "{what}: overwritten");
    }

    /// Which flips of a bit changed nothing.
    async fn harmless_flips(&self) -> Vec<usize> {
        let (mut damaged, mut harmless) = (self.contents.clone(), Vec::new());
        for (place, bit) in (0..damaged.len()).flat_map(|p| (0..8).map(move |bit| (p, bit))) {
            damaged[place] ^= 1 << bit;
            if !self.is_detected(&format!("bit {bit} of byte {place}"), &damaged).await {
                harmless.push(place);
            }
            damaged[place] ^= 1 << bit;
        }
        println!("{} of {} flips were harmless", harmless.len(), 8 * damaged.len());
        harmless
    }
}

fn expiring(place: &Place) -> StateManager {
    let builder = StateManager::builder(FileBackend::new(&place.root)).warm_bytes(0);
    builder.ttl(Duration::from_secs(60 * 60)).build()
}

#[test]
fn promise_10_every_flipped_bit_of_a_journal_is_detected_and_never_overwritten() {
    block_on(async {
        let damage = Damage::new(Form::Journal).await;
        assert_eq!(damage.harmless_flips().await, Vec::<usize>::new());
    });
}

#[test]
fn promise_10_every_flipped_bit_of_a_state_that_expires_is_detected_too() {
    block_on(async {
        let damage = Damage::with(Form::Journal, expiring).await;
        assert_eq!(damage.harmless_flips().await, Vec::<usize>::new());
    });
}

#[test]
fn promise_10_every_flipped_bit_of_a_document_is_detected_or_harmless_and_never_overwritten() {
    for manager in [Place::manager, expiring] {
        block_on(async {
            let damage = Damage::with(Form::Document, manager).await;
            let harmless = damage.harmless_flips().await;
            // A checksum can be turned off, or have its letters in upper case.
            let text = String::from_utf8(damage.contents).unwrap();
            let start = text.find("\"checksum\"").unwrap();
            let end = start + text[start..].find('\n').unwrap();
            assert!(harmless.iter().all(|place| (start..end).contains(place)), "{harmless:?}");
        });
    }
}

/// A first line is on the disk before it has the journal's name: no power cut leaves a part of it.
#[test]
fn promise_10_a_record_that_is_cut_off_anywhere_is_detected_and_never_overwritten() {
    for form in [Form::Journal, Form::Document] {
        block_on(async {
            let damage = Damage::new(form).await;
            let contents = &damage.contents;
            for length in 0..contents.len() {
                let cut = damage.is_detected("a cut", &contents[..length]).await;
                assert!(cut, "{form:?} cut at {length}");
                // What some file systems leave of a file that was not synced.
                let mut zeros = contents.clone();
                zeros[length..].fill(0);
                let zeros = damage.is_detected("zeros", &zeros).await;
                assert!(zeros, "{form:?} with zeros from {length}");
            }
            // Behind a journal it is a part of a line.
            let longer = [contents.as_slice(), b"x"].concat();
            let longer = damage.is_detected("something added", &longer).await;
            assert_eq!(longer, form == Form::Document);
            let twice = [contents.as_slice(), contents.as_slice()].concat();
            assert!(damage.is_detected("twice", &twice).await);
        });
    }
}

#[test]
fn promise_10_the_record_of_another_key_is_refused() {
    let place = Place::new();
    let manager = place.manager();
    let other_session = StateKey::new("alice", "other").unwrap();
    block_on(async {
        for other in [key("bob"), other_session.clone()] {
            manager.save_state(&other, "other".to_owned(), None).await.unwrap();
            manager.save_state(&key("alice"), "mine".to_owned(), None).await.unwrap();
            let folder = |key: &StateKey| place.root.join(key.user_id()).join(key.session_id());
            fs::copy(folder(&other).join("journal.jsonl"), place.journal("alice")).unwrap();
            let loaded = manager.load_state::<String>(&key("alice")).await.map(|_| ());
            assert!(matches!(loaded, Err(Error::Corrupt { .. })), "{loaded:?}");
            let saved = manager.save_state(&key("alice"), "new".to_owned(), None).await;
            assert!(matches!(saved, Err(Error::Corrupt { .. })), "{saved:?}");
            assert!(manager.delete_state(&key("alice")).await.unwrap(), "deleting is the way out");
        }
    });
}

fn original(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/original");
    fs::read(folder.join(name)).unwrap()
}

/// Puts a document where a user's record is.
fn put(place: &Place, user: &str, document: &[u8]) {
    fs::create_dir_all(place.folder(user)).unwrap();
    fs::write(place.file(user), document).unwrap();
}

#[test]
fn promise_10_records_of_the_original_load_and_are_saved_over_with_compare_and_set() {
    for name in ["short.json", "messages.json", "unicode.json"] {
        let place = Place::new();
        let manager = place.manager();
        let document = original(name);
        put(&place, "alice", &document);
        let document: Value = serde_json::from_slice(&document).unwrap();
        block_on(async {
            let loaded = manager.load_state::<Value>(&key("alice")).await.unwrap().unwrap();
            assert_eq!(loaded.state, document["state"], "{name}");
            assert_eq!(loaded.revision.version, 0);
            let stale = manager.save_state(&key("alice"), Value::Null, None).await;
            assert!(matches!(stale, Err(Error::Conflict { .. })), "{stale:?}");
            let mut changed = loaded.state;
            changed["iteration"] = 7.into();
            let before = Some(loaded.revision);
            let saved = manager.save_state(&key("alice"), changed.clone(), before).await.unwrap();
            assert_eq!(saved.version, 1);
            let stale = manager.save_state(&key("alice"), changed.clone(), before).await;
            assert!(matches!(stale, Err(Error::Conflict { .. })), "{stale:?}");
            let loaded = manager.load_state::<Value>(&key("alice")).await.unwrap().unwrap();
            assert_eq!(loaded.state, changed);
        });
    }
}

#[test]
fn original_defect_a_torn_file_or_an_unknown_schema_was_nothing_there_and_overwritten() {
    for name in ["truncated.json", "schema-2.0.json"] {
        let place = Place::new();
        let manager = place.manager();
        let document = original(name);
        put(&place, "alice", &document);
        block_on(async {
            let error = manager.load_state::<Value>(&key("alice")).await.map(|_| ()).unwrap_err();
            let is_told = match name {
                "truncated.json" => matches!(error, Error::Corrupt { .. }),
                _ => matches!(&error, Error::SchemaVersion { found, .. } if found == "2.0"),
            };
            assert!(is_told, "{name}: {error}");
            manager.begin::<Value>(&key("alice")).await.unwrap_err();
            manager.save_state(&key("alice"), Value::Null, None).await.unwrap_err();
        });
        assert_eq!(fs::read(place.file("alice")).unwrap(), document);
    }
}
