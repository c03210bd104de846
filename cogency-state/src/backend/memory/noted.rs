//! One thing that happened to a state, in the form that costs a save least.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::backend::Action;
use crate::history::{Entry, Event, HistoryHash, Kind, Origin, Outline};
use crate::holder::Holder;
use crate::key::StateKey;
use crate::record::{Checksum, Record};

/// One entry. It is made into one that can be told when somebody asks.
pub(super) struct Noted {
    happened: Happened,
    /// Of the entry and those before it, once somebody asked.
    hash: OnceLock<HistoryHash>,
}

enum Happened {
    Saved(Saved),
    /// What is rare: a state that went, or a pruning.
    Other(Box<Entry>),
}

pub(super) struct Saved {
    pub(super) sequence: u64,
    pub(super) at: u64,
    pub(super) holder: Holder,
    pub(super) action: Action,
    pub(super) kind: Kind,
    /// Of the state.
    pub(super) size: usize,
    /// In place of the state it may have the change, with the state's checksum.
    pub(super) record: Arc<Record>,
}

/// The record of a save whose state is kept as a change.
pub(super) fn with_change(record: &Record, change: Bytes) -> Arc<Record> {
    let checksum = record.checksum.unwrap_or_else(|| Checksum::of(&record.state));
    Arc::new(Record { state: change, checksum: Some(checksum), ..record.clone() })
}

impl From<Saved> for Noted {
    fn from(saved: Saved) -> Self {
        Self { happened: Happened::Saved(saved), hash: OnceLock::new() }
    }
}

impl From<Entry> for Noted {
    fn from(entry: Entry) -> Self {
        Self { happened: Happened::Other(Box::new(entry)), hash: OnceLock::new() }
    }
}

impl Noted {
    pub(super) fn outline(&self) -> Outline {
        match &self.happened {
            Happened::Saved(saved) => Outline {
                sequence: saved.sequence,
                kind: saved.kind,
                version: saved.record.revision.version,
                at: saved.at,
            },
            Happened::Other(entry) => entry.outline(),
        }
    }

    /// The record that was saved, if one was.
    pub(super) fn record(&self) -> Option<&Record> {
        match &self.happened {
            Happened::Saved(saved) => Some(&saved.record),
            Happened::Other(_) => None,
        }
    }

    /// All that is kept of it.
    pub(super) fn entry(&self) -> Entry {
        match &self.happened {
            Happened::Saved(saved) => saved.entry(),
            Happened::Other(entry) => Entry::clone(entry),
        }
    }

    /// Its hash behind an entry that has this one.
    pub(super) fn hash(&self, key: &StateKey, previous: HistoryHash) -> HistoryHash {
        *self.hash.get_or_init(|| self.entry().hash(key, previous))
    }
}

/// States are private.
impl fmt::Debug for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outline().fmt(f)
    }
}

impl Saved {
    fn entry(&self) -> Entry {
        let record = &self.record;
        let checksum = match self.kind {
            Kind::Change => record.checksum,
            _ => Some(Checksum::of(&record.state)),
        };
        let origin = Origin { at: self.at, process: self.holder.process, host: &self.holder.host };
        let id = record.revision.write_id.to_string();
        Entry {
            size: self.size as u64,
            checksum: checksum.map(|checksum| checksum.to_string()),
            kind: self.kind,
            content: record.state.clone(),
            ..Entry::bare(self.sequence, &Event::from(self.action), id, origin).of_record(record)
        }
    }
}
