//! Lines and journals of whatever bytes.

// Its panics are what a fuzzer looks for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{MemfdFlags, memfd_create};

use super::line::{Line, encode};
use super::look::Standing;
use super::trailer::Trailer;
use super::{Added, Journal};
use crate::history::{Anchor, Event, Head, HistoryHash, Next, Origin, Retention, Saved};
use crate::key::StateKey;
use crate::record::{Metadata, Record, Revision};

/// One line, as it is and with the checksum that it should have.
///
/// # Panics
/// If a line that can be read says something else when it was written again.
pub fn journal_line(data: &[u8]) {
    for line in [data.to_vec(), sealed(data, &mut HashMap::new(), None)] {
        let starts = Trailer::parse(&line).map_or(0, |(trailer, _)| trailer.starts);
        let Ok(line) = Line::decode(&line.into(), starts) else { continue };
        let head = Head { hash: line.hash, ..Head::empty(Anchor::NONE) };
        let next = Next { entry: line.entry.clone(), head };
        let (key, previous) = (line.key.clone(), line.previous);
        let (key, previous) = (key.unwrap_or_else(alice), previous.unwrap_or(HistoryHash::ZERO));
        let again = encode(&key, previous, &next, &line.trailer).unwrap();
        let again = Line::decode(&again.into(), starts).unwrap();
        assert!(again.entry == line.entry && again.hash == line.hash);
        assert!(again.trailer == line.trailer && again.expires_at() == line.expires_at());
    }
}

/// A file, as it is and with the places and checksums that its lines should have.
///
/// # Panics
/// If its lines do not follow each other, or what can be read cannot be gone on with.
pub fn journal(data: &[u8]) {
    let (mut moved, mut text) = (HashMap::new(), Vec::new());
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        let line = sealed(line, &mut moved, Some(text.len() as u64));
        text.extend(line);
    }
    for text in [data, &text] {
        let journal = in_memory(text);
        let _ = (journal.key(), journal.glance());
        walk(&journal);
        if let Ok(standing) = journal.look(&alice()) {
            assert!(standing.end <= text.len() as u64);
            go_on(&journal, &standing);
        }
    }
}

fn walk(journal: &Journal) {
    let Ok(extents) = journal.extents_forward() else { return };
    let mut end = 0;
    for extent in &extents {
        assert!(extent.starts == end && extent.end > end);
        end = extent.end;
        let _ = journal.line(extent);
    }
    for stays in [Retention::Versions(2), Retention::Age(std::time::Duration::ZERO)] {
        if let Ok(Some(cut)) = journal.cut(stays, u64::MAX) {
            let _ = Journal::is_due(&cut, end);
            let _ = journal.cut_behind(cut.anchor);
        }
    }
}

/// The next save, as a writer would append it.
fn go_on(journal: &Journal, standing: &Standing) {
    let replaced = standing.record.as_ref();
    let expected = replaced.map(|record| record.revision);
    let revision = Revision::after(expected);
    let state = "{\"turns\":[\"and on\"]}".into();
    let record = Record::new(alice(), revision, None, Metadata::default(), state);
    let replaced = replaced.map(|record| &record.state);
    let saved = Saved { event: Event::Save, record: &record, expected, replaced };
    let next = Next::save(Some(&standing.head), &saved, Origin { at: 1, process: 1, host: "h" });
    let added = Added { next, record: Some(record.clone()), expires_at: None };
    let made = added.line(&alice(), &standing.head, standing.end, standing.needs);
    journal.file.set_len(standing.end).unwrap();
    journal.file.write_all_at(&made.unwrap().0, standing.end).unwrap();
    let found = journal.look(&alice()).unwrap();
    assert!(found.record.is_some_and(|found| found == record));
}

/// A line with the checksum of what it says, at the place where it stands.
fn sealed(line: &[u8], moved: &mut HashMap<u64, u64>, place: Option<u64>) -> Vec<u8> {
    let Some((trailer, length)) = Trailer::parse(line) else { return line.to_vec() };
    let starts = place.unwrap_or(trailer.starts);
    moved.insert(trailer.starts, starts);
    let needs = moved.get(&trailer.needs).copied().unwrap_or(trailer.needs);
    let mut text = line[..line.len() - length].to_vec();
    Trailer { starts, needs, ..trailer }.close(&mut text);
    text
}

fn in_memory(text: &[u8]) -> Journal {
    let mut file = File::from(memfd_create("journal", MemfdFlags::CLOEXEC).unwrap());
    file.write_all(text).unwrap();
    Journal { file, is_locked: false }
}

fn alice() -> StateKey {
    StateKey::for_user("alice").unwrap()
}
