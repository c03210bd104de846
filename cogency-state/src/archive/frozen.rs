//! The format of archives is frozen: what one version of the library archived every later one reads.
//!
//! ```text
//! COGENCY_WRITE_FIXTURES=1 cargo test -p cogency-state --all-features as_it_always_was
//! ```

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::entry::Entry;
use super::file::{pack, unpack};
use super::manifest::Manifest;
use crate::history::{self, Event, Head, HistoryHash, HistoryRow, Next, Origin, Saved};
use crate::key::StateKey;
use crate::query::Found;
use crate::record::{Metadata, Record, Revision, SavedAt};

fn at(micros: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(1_769_860_800_000_000 + micros)
}

fn record(version: u64, state: &str) -> Record {
    let mut metadata = Metadata {
        llm_provider: "openai".into(),
        saved_at: Some(SavedAt::Time(at(version))),
        actor: Some("support/anna".into()),
        ..Metadata::default()
    };
    metadata.custom.insert("team".to_owned(), json!(["blue", {"size": 2}]));
    let write_id = format!("2f1c9a4e-5b7d-4c1e-9f00-{version:012}").parse().unwrap();
    let revision = Revision { version, write_id };
    let key = StateKey::new("alice", "trip \u{65e5}").unwrap();
    Record::new(key, revision, Some("agent::Chat".into()), metadata, state.to_owned().into())
}

/// Two versions, of which the second is a change; the second as a state; one that is not on a line.
fn entries() -> Vec<Entry> {
    let long = "gr\u{fc}\u{df}e, \u{1f916} \\u0000 \\\"q\\\" ".repeat(4);
    let first = record(1, &format!("{{\"turns\":[\"{long}\"],\"n\":18446744073709551615}}"));
    let second = record(2, &format!("{{\"turns\":[\"{long}\",\"again\"],\"n\":0.1}}"));
    let (mut entries, mut head) = (Vec::new(), None::<Head>);
    for (record, replaced) in [(&first, None), (&second, Some(&first))] {
        let saved = Saved {
            event: Event::Save,
            record,
            expected: replaced.map(|replaced| replaced.revision),
            replaced: replaced.map(|replaced| &replaced.state),
        };
        let origin = Origin { at: 1_769_860_800_000_001, process: 7, host: "host" };
        let next = Next::save(head.as_ref(), &saved, origin);
        let previous = head.map_or(HistoryHash::ZERO, |head| head.hash);
        // When this was frozen two entries might have the same time.
        let entry = history::Entry { at: origin.at, ..next.entry };
        let row = HistoryRow { previous, hash: entry.hash(&record.key, previous), entry };
        entries.push(Entry::of_history(&record.key, &row).unwrap());
        head = Some(next.head);
    }
    for record in [second, record(3, "{\n}")] {
        let found = Found::new(&record, at(5), "7@host".to_owned(), Some(at(9)));
        entries.push(Entry::of_state(&found, &record).unwrap());
    }
    entries
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/format").join(name)
}

/// Compares a text with what is frozen, or freezes it.
fn is_frozen(name: &str, text: &[u8]) {
    if std::env::var_os("COGENCY_WRITE_FIXTURES").is_some() {
        fs::write(fixture(name), text).unwrap();
    }
    assert_eq!(String::from_utf8_lossy(text), fs::read_to_string(fixture(name)).unwrap());
}

#[test]
fn an_archive_is_written_and_read_as_it_always_was() {
    let entries = entries();
    let lines: Vec<_> = entries.iter().map(|entry| &*entry.line).collect();
    is_frozen("archive.jsonl", &lines.join(&b'\n'));
    // How small a file gets is the business of another library: this one has been compressed once.
    let manifest = Manifest::new("7-1.jsonl.gz".to_owned(), b"content", &entries);
    is_frozen("archive-manifest.json", &manifest.to_json().unwrap());
    if std::env::var_os("COGENCY_WRITE_FIXTURES").is_some() {
        fs::write(fixture("archive.jsonl.gz"), pack(&entries).unwrap()).unwrap();
    }
    let read = unpack(&fs::read(fixture("archive.jsonl.gz")).unwrap().into()).unwrap();
    assert_eq!(read.len(), entries.len());
    for (read, entry) in read.iter().zip(&entries) {
        assert!(read.id == entry.id && read.line == entry.line);
        read.check().unwrap();
    }
    let manifest = Manifest::parse(&fs::read(fixture("archive-manifest.json")).unwrap()).unwrap();
    let ids: Vec<_> = entries.into_iter().map(|entry| entry.id).collect();
    assert_eq!(manifest.ids().unwrap(), ids);
}
