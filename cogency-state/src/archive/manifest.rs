//! What a file holds, and that it is whole: no row is removed before its file has this.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Id, Kind, Row};
use super::file::{self, FORMAT, VERSION};
use super::problem::Problem;
use crate::blob::BlobId;
use crate::history::{Anchor, HistoryHash};
use crate::key::StateKey;
use crate::record::{Revision, WriteId};

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: String,
    version: u64,
    pub(super) file: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    pub(super) entries: Vec<Listed>,
    /// Blobs that its entries name, and that were missing when they were archived.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) missing_blobs: BTreeSet<BlobId>,
}

/// An entry, as its manifest lists it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Listed {
    pub(super) kind: Kind,
    pub(super) user_id: String,
    pub(super) session_id: String,
    pub(super) version: u64,
    /// Of a state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    write_id: Option<WriteId>,
    /// Of an entry of a history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sequence: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hash: Option<HistoryHash>,
    /// RFC 3339 in UTC: later times sort behind earlier ones.
    pub(super) saved_at: String,
}

impl Manifest {
    pub(super) fn new(file: String, content: &[u8], entries: &[Entry]) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            file,
            bytes: content.len() as u64,
            sha256: file::sha256(content),
            entries: entries.iter().map(Listed::of).collect(),
            missing_blobs: BTreeSet::new(),
        }
    }

    /// The same, of entries that name blobs which are not archived.
    pub(super) fn without_blobs(mut self, missing: BTreeSet<BlobId>) -> Self {
        self.missing_blobs = missing;
        self
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>, Problem> {
        serde_json::to_vec(self).map_err(Problem::NotJson)
    }

    pub(super) fn parse(json: &[u8]) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Only {
            version: u64,
        }
        // A newer one may differ in any field.
        let Only { version } = serde_json::from_slice(json).map_err(Problem::NotJson)?;
        if version != VERSION {
            return Err(Problem::OfTheFuture(version));
        }
        serde_json::from_slice(json).map_err(Problem::NotJson)
    }

    /// The rows that were archived with it.
    pub(super) fn ids(&self) -> Result<Vec<Id>, Problem> {
        self.entries.iter().map(Listed::id).collect()
    }

    /// Whether a file is the one that this is of.
    pub(super) fn is_of(&self, content: &[u8]) -> bool {
        self.bytes == content.len() as u64 && self.sha256 == file::sha256(content)
    }
}

impl Listed {
    fn of(entry: &Entry) -> Self {
        let key = &entry.id.key;
        let (write_id, place) = match entry.id.row {
            Row::State(revision) => (Some(revision.write_id), None),
            Row::History(place) => (None, Some(place)),
        };
        Self {
            kind: entry.id.kind(),
            user_id: key.user_id().to_owned(),
            session_id: key.session_id().to_owned(),
            version: entry.version,
            write_id,
            sequence: place.map(|place| place.sequence),
            hash: place.map(|place| place.hash),
            saved_at: entry.saved_at.clone(),
        }
    }

    pub(super) fn id(&self) -> Result<Id, Problem> {
        let key = StateKey::new(&self.user_id, &self.session_id);
        let key = key.map_err(|_| Problem::Damaged("a manifest lists what is no key"))?;
        let row = match (self.kind, self.write_id, self.sequence, self.hash) {
            (Kind::State, Some(write_id), ..) => {
                Row::State(Revision { version: self.version, write_id })
            }
            (Kind::History, _, Some(sequence), Some(hash)) => {
                Row::History(Anchor { sequence, hash })
            }
            _ => return Err(Problem::Damaged("a manifest does not say which row something was")),
        };
        Ok(Id { key, row })
    }

    pub(super) fn is_of(&self, kind: Kind, key: &StateKey) -> bool {
        self.kind == kind && self.user_id == key.user_id() && self.session_id == key.session_id()
    }
}
