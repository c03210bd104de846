//! Where a history stands.

use super::digest::HistoryHash;
use super::entry::{Entry, Kind};

/// Where a history stands: its newest entry, and what the next one has to know. It stays when the
/// state is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Of the newest entry.
    pub(crate) sequence: u64,
    pub(crate) hash: HistoryHash,
    /// In microseconds since 1970.
    pub(crate) at: u64,
    /// Of the newest state; 0 if it is gone.
    pub(crate) version: u64,
    /// Of the entry that left the newest state, or none.
    pub(crate) write_id: String,
    /// Of the newest state.
    pub(crate) checksum: Option<String>,
    /// The size of the newest keyframe; 0 if the state is gone since.
    pub(crate) keyframe_bytes: u64,
    /// That of the changes since.
    pub(crate) change_bytes: u64,
    /// How many there are.
    pub(crate) changes: u64,
    pub(crate) pruned: Anchor,
}

/// An entry by its place and hash, such as the last that was pruned: what the first that stayed
/// continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Anchor {
    /// Of the entry; 0 stands before the first one.
    pub sequence: u64,
    /// Of the entry.
    pub hash: HistoryHash,
}

impl Anchor {
    /// Before the first entry.
    pub const NONE: Self = Self { sequence: 0, hash: HistoryHash::ZERO };

    /// What the entry of a pruning says.
    pub(super) fn note(&self) -> String {
        format!(r#"{{"through":{},"hash":"{}"}}"#, self.sequence, self.hash)
    }
}

/// Who and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// In microseconds since 1970, by the clock of the place that keeps the history.
    pub(crate) at: u64,
    pub(crate) process: u32,
    pub(crate) host: &'a str,
}

impl Head {
    /// Before there is any entry, or behind what was pruned.
    pub(crate) fn empty(pruned: Anchor) -> Self {
        Self {
            sequence: pruned.sequence,
            hash: pruned.hash,
            at: 0,
            version: 0,
            write_id: String::new(),
            checksum: None,
            keyframe_bytes: 0,
            change_bytes: 0,
            changes: 0,
            pruned,
        }
    }

    /// Where it stands behind one more entry.
    pub(crate) fn after(&self, entry: &Entry, hash: HistoryHash) -> Self {
        let content = entry.content.len() as u64;
        let (keyframe_bytes, change_bytes, changes) = match entry.kind {
            Kind::Keyframe => (content, 0, 0),
            Kind::Change => (self.keyframe_bytes, self.change_bytes + content, self.changes + 1),
            Kind::Gone => (0, 0, 0),
            Kind::Note => (self.keyframe_bytes, self.change_bytes, self.changes),
        };
        let newest = match entry.kind {
            Kind::Note => (self.version, self.write_id.clone(), self.checksum.clone()),
            Kind::Gone => (0, entry.write_id.clone(), None),
            Kind::Keyframe | Kind::Change => {
                (entry.version, entry.write_id.clone(), entry.checksum.clone())
            }
        };
        let (version, write_id, checksum) = newest;
        Self {
            sequence: entry.sequence,
            hash,
            at: entry.at,
            version,
            write_id,
            checksum,
            keyframe_bytes,
            change_bytes,
            changes,
            pruned: self.pruned,
        }
    }
}
