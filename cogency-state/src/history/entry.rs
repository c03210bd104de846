//! One event, as it is stored and as it is told.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::digest::HistoryHash;
use super::event::Event;
use crate::blob::BlobId;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::record::{Checksum, Record, Revision, SCHEMA_VERSION, WriteId};

/// One event of a state's history.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// Where it stands: 1 for the first event, one more for each after it, also where the state was
    /// deleted in between.
    pub sequence: u64,
    /// What happened.
    pub event: Event,
    /// The version of the state that was saved, or of the one that was deleted; 0 where that was
    /// not known.
    pub version: u64,
    /// The id of the save; other events have one too.
    pub write_id: Option<WriteId>,
    /// When, by the clock of the place that keeps the history; never before the entry before.
    pub at: SystemTime,
    /// The process, by the id that its host gave it.
    pub process: u32,
    /// The host that it ran on.
    pub host: String,
    /// On whose behalf, where the metadata say it.
    pub actor: Option<String>,
    /// The phase whose call it was.
    pub phase: Option<String>,
    /// Who offers the LLM.
    pub provider: Option<String>,
    /// The LLM.
    pub model: Option<String>,
    /// The Rust type of the state.
    pub state_type: Option<String>,
    /// How many bytes the state takes as JSON; 0 where the event leaves none.
    pub size: u64,
    /// The blobs that the state names.
    pub blob_ids: Vec<BlobId>,
    /// Whether that can be read.
    pub(crate) are_blobs_known: bool,
    /// Over this entry and the one before it.
    pub hash: HistoryHash,
}

impl HistoryEntry {
    /// An entry as a backend of one's own tells it, of the record that was saved, if one was.
    #[must_use]
    pub fn new(
        sequence: u64,
        event: Event,
        at: SystemTime,
        holder: &Holder,
        record: Option<&Record>,
        hash: HistoryHash,
    ) -> Self {
        let metadata = record.map(|record| &record.metadata);
        let owned = |text: &Cow<'static, str>| text.clone().into_owned();
        Self {
            sequence,
            event,
            version: record.map_or(0, |record| record.revision.version),
            write_id: record.map(|record| record.revision.write_id),
            at,
            process: holder.process,
            host: holder.host.clone().into_owned(),
            actor: metadata.and_then(|metadata| metadata.actor.as_ref().map(owned)),
            phase: metadata.and_then(|metadata| metadata.phase_completed.as_ref().map(owned)),
            provider: metadata.map(|metadata| owned(&metadata.llm_provider)),
            model: metadata.map(|metadata| owned(&metadata.llm_model)),
            state_type: record.and_then(|record| record.state_type.as_ref().map(owned)),
            size: record.map_or(0, |record| record.state.len() as u64),
            blob_ids: metadata.and_then(|metadata| metadata.blob_ids.clone()).unwrap_or_default(),
            are_blobs_known: true,
            hash,
        }
    }
}

/// What an entry keeps of the state that it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// All of it.
    Keyframe,
    /// What makes it of the version before.
    Change,
    /// There is none any more.
    Gone,
    /// The state is what it was.
    Note,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Keyframe => "keyframe",
            Self::Change => "change",
            Self::Gone => "gone",
            Self::Note => "note",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Keyframe, Self::Change, Self::Gone, Self::Note]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }

    /// Whether it is of a state that was saved.
    pub(crate) fn has_state(self) -> bool {
        matches!(self, Self::Keyframe | Self::Change)
    }

    /// Whether nothing before it is needed for what it left.
    pub(crate) fn begins_anew(self) -> bool {
        matches!(self, Self::Keyframe | Self::Gone)
    }
}

/// An entry with all that is stored of it but its hash.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) sequence: u64,
    pub(crate) event: String,
    pub(crate) version: u64,
    pub(crate) write_id: String,
    /// In microseconds since 1970.
    pub(crate) at: u64,
    pub(crate) process: u32,
    pub(crate) host: String,
    pub(crate) actor: Option<String>,
    pub(crate) phase: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) state_type: Option<String>,
    pub(crate) schema_version: Option<String>,
    /// Of the state that it left.
    pub(crate) size: u64,
    pub(crate) checksum: Option<String>,
    /// As JSON.
    pub(crate) metadata: Option<String>,
    pub(crate) kind: Kind,
    #[serde(with = "super::row::text")]
    pub(crate) content: Bytes,
}

/// What is hashed: this as JSON without spaces, in this order.
#[derive(Serialize)]
struct Canonical<'a> {
    previous: HistoryHash,
    user_id: &'a str,
    session_id: &'a str,
    sequence: u64,
    event: &'a str,
    version: u64,
    write_id: &'a str,
    at: u64,
    process: u32,
    host: &'a str,
    actor: Option<&'a str>,
    phase: Option<&'a str>,
    provider: Option<&'a str>,
    model: Option<&'a str>,
    state_type: Option<&'a str>,
    schema_version: Option<&'a str>,
    size: u64,
    checksum: Option<&'a str>,
    metadata: Option<&'a str>,
    kind: &'a str,
    /// Of the content.
    content: HistoryHash,
}

impl Entry {
    /// The hash of an entry that stands behind the one with the hash `previous`.
    pub(crate) fn hash(&self, key: &StateKey, previous: HistoryHash) -> HistoryHash {
        let canonical = Canonical {
            previous,
            user_id: key.user_id(),
            session_id: key.session_id(),
            sequence: self.sequence,
            event: &self.event,
            version: self.version,
            write_id: &self.write_id,
            at: self.at,
            process: self.process,
            host: &self.host,
            actor: self.actor.as_deref(),
            phase: self.phase.as_deref(),
            provider: self.provider.as_deref(),
            model: self.model.as_deref(),
            state_type: self.state_type.as_deref(),
            schema_version: self.schema_version.as_deref(),
            size: self.size,
            checksum: self.checksum.as_deref(),
            metadata: self.metadata.as_deref(),
            kind: self.kind.as_str(),
            content: HistoryHash::of(&self.content),
        };
        // Texts and numbers are JSON in any case.
        HistoryHash::of(&serde_json::to_vec(&canonical).unwrap_or_default())
    }

    /// What its users see of it.
    pub(crate) fn told(self, hash: HistoryHash) -> HistoryEntry {
        let named = self.named();
        HistoryEntry {
            sequence: self.sequence,
            event: Event::from(&*self.event),
            version: self.version,
            write_id: self.write_id.parse().ok(),
            at: UNIX_EPOCH + Duration::from_micros(self.at),
            process: self.process,
            host: self.host,
            actor: self.actor,
            phase: self.phase,
            provider: self.provider,
            model: self.model,
            state_type: self.state_type,
            size: self.size,
            are_blobs_known: named.is_some(),
            blob_ids: named.unwrap_or_default(),
            hash,
        }
    }

    /// The blobs that the state of this entry names; `None` if its metadata do not tell.
    pub(crate) fn named(&self) -> Option<Vec<BlobId>> {
        #[derive(Deserialize)]
        struct OfMetadata {
            blob_ids: Option<Vec<BlobId>>,
        }
        // What is set aside says of itself what it was: that is not of this entry.
        if !self.has_state() {
            return Some(Vec::new());
        }
        let OfMetadata { blob_ids } = serde_json::from_str(self.metadata.as_deref()?).ok()?;
        Some(blob_ids.unwrap_or_default())
    }

    /// The record that was saved, of a state that was rebuilt.
    pub(crate) fn record(&self, key: &StateKey, state: Bytes) -> Result<Record, &'static str> {
        if self.schema_version.as_deref() != Some(SCHEMA_VERSION) {
            return Err("its schema version is not one that this program knows");
        }
        let write_id = self.write_id.parse().map_err(|_| "its write id is not one")?;
        let metadata = serde_json::from_str(self.metadata.as_deref().unwrap_or_default())
            .map_err(|_| "its metadata are not those of a record")?;
        let revision = Revision { version: self.version, write_id };
        let state_type = self.state_type.clone().map(Cow::Owned);
        Ok(Record::new(key.clone(), revision, state_type, metadata, state))
    }

    /// Whether it is about a state that was saved.
    pub(crate) fn has_state(&self) -> bool {
        self.kind.has_state()
    }

    /// Whether it left the state as it was.
    #[cfg(feature = "archive")]
    pub(crate) fn is_note(&self) -> bool {
        self.kind == Kind::Note
    }

    /// Whether nothing before it is needed for what it left.
    pub(crate) fn begins_anew(&self) -> bool {
        self.kind.begins_anew()
    }

    /// Whether this is the state that it left.
    pub(super) fn is_of(&self, state: &[u8]) -> bool {
        state.len() as u64 == self.size
            && self.checksum.as_deref() == Some(&*Checksum::of(state).to_string())
    }
}
