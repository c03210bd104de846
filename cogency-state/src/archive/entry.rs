//! One line of an archive's file: a record, or an entry of a history, with all that is needed to
//! have it again.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::past::PastLine;
use super::problem::Problem;
use crate::blob::BlobId;
use crate::history::{Anchor, HistoryRow};
use crate::key::StateKey;
use crate::query::Found;
use crate::record::{Checksum, Metadata, Record, Revision, WriteId};
use crate::rfc3339;

/// What an entry is about. More kinds may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// A state that nobody touched for long.
    State,
    /// An entry of a state's history.
    History,
}

/// Which row an entry was: that row and no other is removed for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id {
    pub(super) key: StateKey,
    pub(super) row: Row,
}

/// A row of a key's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Row {
    State(Revision),
    History(Anchor),
}

impl Id {
    pub(super) fn kind(&self) -> Kind {
        match self.row {
            Row::State(_) => Kind::State,
            Row::History(_) => Kind::History,
        }
    }
}

/// An entry, as a line that does not end yet.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) id: Id,
    /// Of the state.
    pub(super) version: u64,
    /// When it was saved, or happened.
    pub(super) saved_at: String,
    pub(super) line: Bytes,
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    kind: Kind,
    user_id: Cow<'a, str>,
    session_id: Cow<'a, str>,
    version: u64,
    write_id: WriteId,
    #[serde(borrow)]
    schema_version: Cow<'a, str>,
    state_type: Option<Cow<'a, str>>,
    saved_at: Cow<'a, str>,
    saved_by: Cow<'a, str>,
    expires_at: Option<String>,
    metadata: Metadata,
    checksum: Option<String>,
    /// The state, byte for byte.
    #[serde(borrow, default, deserialize_with = "present")]
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a RawValue>,
    /// The same as a text, where it has line breaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state_text: Option<Cow<'a, str>>,
}

/// What is there counts, also if it is `null`.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(value).map(Some)
}

impl Entry {
    /// The entry of a state.
    pub(super) fn of_state(found: &Found, record: &Record) -> Result<Self, Problem> {
        let text = std::str::from_utf8(&record.state).map_err(|_| Problem::NotText)?;
        let has_breaks = text.contains(['\n', '\r']);
        let raw = (!has_breaks).then(|| serde_json::from_str::<&RawValue>(text));
        // Space around it would be lost.
        let raw = raw.and_then(Result::ok).filter(|raw| raw.get() == text);
        let saved_at = rfc3339::format(found.saved_at).to_string();
        let line = Line {
            kind: Kind::State,
            user_id: record.key.user_id().into(),
            session_id: record.key.session_id().into(),
            version: record.revision.version,
            write_id: record.revision.write_id,
            schema_version: (&*record.schema_version).into(),
            state_type: record.state_type.as_deref().map(Cow::Borrowed),
            saved_at: saved_at.as_str().into(),
            saved_by: found.saved_by.as_str().into(),
            expires_at: found.expires_at.map(|at| rfc3339::format(at).to_string()),
            metadata: record.metadata.clone(),
            checksum: record.checksum.map(|checksum| checksum.to_string()),
            state: raw,
            state_text: raw.is_none().then_some(text.into()),
        };
        let line = serde_json::to_vec(&line).map_err(Problem::NotJson)?.into();
        let id = Id { key: record.key.clone(), row: Row::State(record.revision) };
        Ok(Self { id, version: record.revision.version, saved_at, line })
    }

    /// The entry of a history's entry.
    pub(super) fn of_history(key: &StateKey, row: &HistoryRow) -> Result<Self, Problem> {
        let line = PastLine::of(key, row);
        let (version, saved_at) = (row.entry.version, line.saved_at());
        let line = serde_json::to_vec(&line).map_err(Problem::NotJson)?.into();
        let id = Id { key: key.clone(), row: Row::History(row.place()) };
        Ok(Self { id, version, saved_at, line })
    }

    /// Reads a line.
    pub(super) fn parse(line: &Bytes) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Only {
            kind: Kind,
        }
        let Only { kind } = serde_json::from_slice(line).map_err(Problem::NotJson)?;
        match kind {
            Kind::State => Self::parse_state(line),
            Kind::History => {
                let read = PastLine::parse(line)?;
                let (key, saved_at) = (read.key()?, read.saved_at());
                let (version, place) = (read.entry.entry.version, read.entry.place());
                let id = Id { key, row: Row::History(place) };
                Ok(Self { id, version, saved_at, line: line.clone() })
            }
        }
    }

    fn parse_state(line: &Bytes) -> Result<Self, Problem> {
        let read: Line<'_> = serde_json::from_slice(line).map_err(Problem::NotJson)?;
        let key = StateKey::new(&read.user_id, &read.session_id);
        let key = key.map_err(|_| Problem::Damaged("an entry has no key"))?;
        let revision = Revision { version: read.version, write_id: read.write_id };
        let id = Id { key, row: Row::State(revision) };
        let (version, saved_at) = (read.version, read.saved_at.into_owned());
        Ok(Self { id, version, saved_at, line: line.clone() })
    }

    /// Whether it can be had again.
    pub(super) fn check(&self) -> Result<(), Problem> {
        match self.id.kind() {
            Kind::State => self.archived().map(drop),
            Kind::History => self.past().map(drop),
        }
    }

    /// The blobs that it names.
    pub(super) fn blob_ids(&self) -> Result<Vec<BlobId>, Problem> {
        Ok(match self.id.kind() {
            Kind::State => self.archived()?.record.metadata.blob_ids.unwrap_or_default(),
            // Its hash says that it is what was written.
            Kind::History => self.past()?.entry.named().unwrap_or_default(),
        })
    }

    /// The entry of a history that it holds.
    pub(super) fn past(&self) -> Result<HistoryRow, Problem> {
        let row = PastLine::parse(&self.line)?.entry;
        if row.is_intact(&self.id.key) {
            return Ok(row);
        }
        Err(Problem::Damaged("the hash of an entry does not match"))
    }

    /// The state that it holds.
    pub(super) fn archived(&self) -> Result<Archived, Problem> {
        let line: Line<'_> = serde_json::from_slice(&self.line).map_err(Problem::NotJson)?;
        let state = match (line.state, &line.state_text) {
            (Some(raw), _) => raw.get(),
            (None, Some(text)) => text,
            (None, None) => return Err(Problem::Damaged("an entry has no state")),
        };
        let checksum = line.checksum.as_deref().map(|text| u64::from_str_radix(text, 16));
        let checksum = checksum.transpose().map_err(|_| Problem::Damaged("a checksum is none"))?;
        let record = Record {
            key: self.id.key.clone(),
            revision: Revision { version: line.version, write_id: line.write_id },
            schema_version: line.schema_version.into_owned().into(),
            state_type: line.state_type.map(|text| text.into_owned().into()),
            metadata: line.metadata,
            state: Bytes::copy_from_slice(state.as_bytes()),
            checksum: checksum.map(Checksum),
        };
        if !record.is_intact() {
            return Err(Problem::Damaged("the checksum of a state does not match"));
        }
        let time = |text: &str| humantime::parse_rfc3339(text);
        let expires_at = line.expires_at.as_deref().map(time).transpose();
        let damaged = |_| Problem::Damaged("a time is none");
        let (saved_at, expires_at) =
            (time(&line.saved_at).map_err(damaged)?, expires_at.map_err(damaged)?);
        let found = Found::new(&record, saved_at, line.saved_by.into_owned(), expires_at);
        Ok(Archived { found, record })
    }
}

/// What an archive holds of a key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Archived {
    /// What was known of the state when it was archived.
    pub found: Found,
    /// The record as it was.
    pub record: Record,
}
