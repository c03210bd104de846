//! Where a history stands.

use super::digest::HistoryHash;
use super::entry::{Entry, Kind};
use super::weight::Weight;

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
    pub(crate) weight: Weight,
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

    /// The later one of two.
    pub(crate) fn or_later(self, other: Self) -> Self {
        if other.sequence > self.sequence { other } else { self }
    }

    /// What the entry of a pruning says.
    pub(crate) fn note(&self) -> String {
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
            weight: Weight::default(),
            pruned,
        }
    }

    /// Its newest entry.
    #[cfg(feature = "redis")]
    pub(crate) fn place(&self) -> Anchor {
        Anchor { sequence: self.sequence, hash: self.hash }
    }

    /// Where it stands behind one more entry.
    pub(crate) fn after(&self, entry: &Entry, hash: HistoryHash) -> Self {
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
            weight: self.weight.after(entry.kind, entry.content.len()),
            pruned: self.pruned,
        }
    }
}
