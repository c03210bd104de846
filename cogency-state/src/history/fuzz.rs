//! Changes, rows and rebuilds of whatever bytes.

// Its panics are what a fuzzer looks for.
#![allow(clippy::unwrap_used)]

use super::audit::Audit;
use super::change::{apply, between};
use super::export::Export;
use super::head::Anchor;
use super::rebuild::rebuild as rebuilt;
use super::row::HistoryRow;
use super::{Moment, Outlines, Retention};
use crate::key::StateKey;

/// Three lines: a state, the next one, and what is no change of the first, or one.
///
/// # Panics
/// If the change between two states does not make the one of the other, or a change makes more of a
/// state than both have together.
pub fn change(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.splitn(3, '\n').map(str::to_owned);
    let mut line = || lines.next().unwrap_or_default();
    let (old, new, change) = (line(), line(), line());
    assert!(apply(&old, &between(&old, &new)) == Ok(new));
    if let Ok(made) = apply(&old, &change) {
        assert!(made.len() <= old.len() + change.len());
    }
}

/// One row of a history, as an archive has it.
///
/// # Panics
/// If a row that can be read is another one when it was written.
pub fn history_row(data: &[u8]) {
    let Ok(row) = serde_json::from_slice::<HistoryRow>(data) else { return };
    let json = serde_json::to_vec(&row).unwrap();
    assert!(serde_json::from_slice::<HistoryRow>(&json).unwrap() == row);
    let key = StateKey::for_user("alice").unwrap();
    let _ = (row.is_intact(&key), row.place(), row.before());
    let _ = row.entry.record(&key, row.entry.content.clone());
    let _ = row.told();
}

/// Lines of rows, rebuilt and looked at as if their hashes were right.
///
/// # Panics
/// If what is rebuilt is not of the size that the last row of a state says.
pub fn rebuild(data: &[u8]) {
    let lines = data.split(|byte| *byte == b'\n').map(serde_json::from_slice::<HistoryRow>);
    let entries: Vec<_> = lines.map_while(Result::ok).map(|row| row.entry).collect();
    if let Ok(Some(state)) = rebuilt(&entries) {
        let newest = entries.iter().rfind(|entry| entry.has_state()).unwrap();
        assert!(newest.size == state.len() as u64);
    }
    let key = StateKey::for_user("alice").unwrap();
    let mut audit = Audit::new(&key, Anchor::NONE);
    let mut export = Export::new(&key, Anchor::NONE, 3);
    for entry in &entries {
        let hash = entry.hash(&key, audit.head().hash);
        let _ = export.take(entry.clone(), hash);
        if audit.check(entry, hash).is_err() {
            break;
        }
    }
    let _ = audit.finish(Some(audit.head()));
    let outlines = Outlines(entries.iter().map(super::Entry::outline).collect());
    let _ = outlines.of_moment(Moment::Version(2));
    for stays in [Retention::Versions(2), Retention::Age(std::time::Duration::from_secs(1))] {
        let _ = outlines.last_to_go(stays, u64::MAX);
    }
}
