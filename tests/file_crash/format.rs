//! The journal's format is frozen: what one version of the library wrote every later one reads, and
//! goes on with.
//!
//! ```text
//! COGENCY_WRITE_FIXTURES=1 cargo test -p cogency-state-tests --test file_crash format
//! ```

use std::fs;
use std::path::PathBuf;

use cogency_state::{
    Action, FileBackend, HistoryBackend, Holder, LeaseAttempt, Metadata, Moment, Record, Revision,
    StateBackend as _, Write,
};
use serde_json::{Value, json};

use crate::place::{Place, block_on, key};

/// The states of the frozen journal, one after the other; `None` for a delete.
fn states() -> [Option<String>; 5] {
    let long = "grüße, 日本 \u{1f916} \\u0000 \\\"q\\\" ".repeat(8);
    [
        Some(format!("{{\"turns\":[\"{long}\"],\"cost\":0.1}}")),
        Some(format!("{{\"turns\":[\"{long}\",\"again\"],\"cost\":0.2}}")),
        None,
        // Not on one line.
        Some("{\n  \"turns\": []\n}".to_owned()),
        Some("null".to_owned()),
    ]
}

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/format/journal.jsonl")
}

/// Writes what is frozen.
async fn write(place: &Place) {
    let backend = FileBackend::new(&place.root);
    let attempt = backend.acquire_lease(&key("alice"), &Holder::current()).await.unwrap();
    let LeaseAttempt::Acquired(lease) = attempt else { panic!("{attempt:?}") };
    let mut expected = None;
    for state in states() {
        let Some(state) = state else {
            assert!(backend.delete_state(&lease).await.unwrap());
            expected = None;
            continue;
        };
        let mut metadata = Metadata::now();
        metadata.llm_provider = "openai".into();
        metadata.llm_model = "gpt-4".into();
        metadata.phase_completed = Some("reasoning".into());
        metadata.actor = Some("support/anna".into());
        metadata.custom.insert("team".to_owned(), json!(["blue", {"size": 2}]));
        let revision = Revision::after(expected);
        let state_type = Some("agent::Chat".into());
        let record = Record::new(key("alice"), revision, state_type, metadata, state.into());
        let write = Write::new(record, expected).with_action(Action::Save);
        backend.save_state(&lease, &write).await.unwrap();
        expected = Some(revision);
    }
    backend.release_lease(&lease).await.unwrap();
}

/// The text of a line, where what differs from run to run is replaced.
fn timeless(line: &str) -> String {
    let value: Value = serde_json::from_str(line).unwrap();
    let differs = [
        "process",
        "host",
        "write_id",
        "hash",
        "previous",
        "at",
        "starts",
        "needs",
        "line_checksum",
    ];
    // The numbers stand in fields of a fixed width.
    let mut text = line.split_whitespace().collect::<Vec<_>>().join(" ");
    for field in differs {
        let Some(value) = value.get(field) else { continue };
        let label = format!("\"{field}\":");
        for space in ["", " "] {
            text = text.replacen(&format!("{label}{space}{value}"), &format!("{label}*"), 1);
        }
    }
    let saved_at = value["metadata"]["saved_at"].as_str().map(str::to_owned);
    saved_at.map_or(text.clone(), |at| text.replace(&at, "*"))
}

#[test]
fn a_journal_is_written_as_it_always_was() {
    let place = Place::new();
    block_on(write(&place));
    let written = fs::read_to_string(place.journal("alice")).unwrap();
    if std::env::var_os("COGENCY_WRITE_FIXTURES").is_some() {
        fs::write(fixture(), &written).unwrap();
    }
    let frozen = fs::read_to_string(fixture()).unwrap();
    let of = |journal: &str| journal.lines().map(timeless).collect::<Vec<_>>();
    assert_eq!(of(&written), of(&frozen));
}

#[test]
fn a_journal_of_earlier_days_is_read_and_gone_on_with() {
    let place = Place::new();
    fs::create_dir_all(place.folder("alice")).unwrap();
    fs::copy(fixture(), place.journal("alice")).unwrap();
    let backend = FileBackend::new(&place.root);
    block_on(async {
        let record = backend.load_state(&key("alice")).await.unwrap().unwrap();
        assert_eq!(Some(record.state), states()[4].clone().map(Into::into));
        assert_eq!(record.metadata.actor.as_deref(), Some("support/anna"));
        assert_eq!(record.metadata.custom["team"], json!(["blue", {"size": 2}]));
        for (sequence, state) in (1..).zip(states()) {
            let moment = Moment::Entry(sequence);
            let found = backend.load_history(&key("alice"), moment).await.unwrap();
            assert_eq!(found.map(|record| record.state), state.map(Into::into), "{sequence}");
        }
        assert_eq!(backend.verify_history(&key("alice")).await.unwrap().entries, 5);
        let entries = backend.list_history(&key("alice"), None, 1).await.unwrap();
        assert_eq!(entries[0].phase.as_deref(), Some("reasoning"));
        assert_eq!(entries[0].model.as_deref(), Some("gpt-4"));

        let manager = cogency_state::StateManager::new(backend.clone());
        let revision = manager.save_state(&key("alice"), 1, Some(record.revision)).await.unwrap();
        assert_eq!(revision.version, 3);
        assert_eq!(backend.verify_history(&key("alice")).await.unwrap().entries, 6);
    });
    let journal = fs::read(place.journal("alice")).unwrap();
    assert!(journal.starts_with(&fs::read(fixture()).unwrap()));
}
