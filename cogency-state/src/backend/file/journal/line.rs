//! A line: one entry of the history as JSON, with its content as a person can read it.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::damage::Damage;
use super::trailer::Trailer;
use crate::expires_at::ExpiresAt;
use crate::history::{Entry, HistoryHash, Kind, Next};
use crate::key::StateKey;
use crate::record::Metadata;

/// A line that is what was written.
#[derive(Clone)]
pub(in crate::backend::file) struct Line {
    pub(in crate::backend::file) entry: Entry,
    pub(in crate::backend::file) hash: HistoryHash,
    /// Of the entry before, in a line that a rebuild begins with.
    pub(in crate::backend::file) previous: Option<HistoryHash>,
    /// Whose it is, likewise.
    pub(in crate::backend::file) key: Option<StateKey>,
    pub(in crate::backend::file) trailer: Trailer,
}

/// All but what stands in the trailer.
#[derive(Serialize, Deserialize)]
struct Fields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Cow<'a, str>>,
    sequence: u64,
    event: Cow<'a, str>,
    version: u64,
    write_id: Cow<'a, str>,
    process: u32,
    host: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_type: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_version: Option<Cow<'a, str>>,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<HistoryHash>,
    hash: HistoryHash,
    #[serde(borrow, default, deserialize_with = "present")]
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    change: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    note: Option<&'a RawValue>,
    /// A content that is not JSON on one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
}

/// What is there counts, also if it is `null`.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(value).map(Some)
}

/// The line of an entry that stands at a place.
pub(super) fn encode(
    key: &StateKey,
    previous: HistoryHash,
    next: &Next,
    trailer: &Trailer,
) -> Result<Vec<u8>, serde_json::Error> {
    let entry = &next.entry;
    let content = std::str::from_utf8(&entry.content).map_err(serde::ser::Error::custom)?;
    let raw = on_one_line(content);
    let begins = entry.begins_anew();
    let of_kind = |kind| raw.filter(|_| entry.kind == kind);
    let is_text = raw.is_none() && !content.is_empty();
    let fields = Fields {
        user_id: begins.then(|| key.user_id().into()),
        session_id: begins.then(|| key.session_id().into()),
        sequence: entry.sequence,
        event: (&*entry.event).into(),
        version: entry.version,
        write_id: (&*entry.write_id).into(),
        process: entry.process,
        host: (&*entry.host).into(),
        state_type: entry.state_type.as_deref().map(Cow::Borrowed),
        schema_version: entry.schema_version.as_deref().map(Cow::Borrowed),
        size: entry.size,
        checksum: entry.checksum.as_deref().map(Cow::Borrowed),
        metadata: entry.metadata.as_deref().map(serde_json::from_str).transpose()?,
        previous: begins.then_some(previous),
        hash: next.head.hash,
        state: of_kind(Kind::Keyframe),
        change: of_kind(Kind::Change),
        note: of_kind(Kind::Note),
        text: is_text.then_some(content.into()),
    };
    let mut line = Vec::with_capacity(content.len() + 1024);
    serde_json::to_writer(&mut line, &fields)?;
    // The brace that the trailer closes.
    line.pop();
    trailer.close(&mut line);
    Ok(line)
}

/// JSON that stands in a line as it is, to the last byte.
fn on_one_line(content: &str) -> Option<&RawValue> {
    let raw: &RawValue = serde_json::from_str(content).ok()?;
    let is_whole = raw.get().len() == content.len() && !content.contains(['\n', '\r']);
    is_whole.then_some(raw)
}

impl Line {
    /// Reads a line with its line break, which starts at a place in the file.
    pub(super) fn decode(line: &Bytes, starts: u64) -> Result<Self, Damage> {
        let (trailer, _) = Trailer::parse(line).ok_or(Damage::at(starts, "it is not one"))?;
        if !Trailer::is_intact(line) {
            return Err(Damage::at(starts, "its checksum does not match"));
        }
        if trailer.starts != starts {
            return Err(Damage::at(starts, "it is out of its place"));
        }
        let fields: Fields<'_> = serde_json::from_slice(line)
            .map_err(|_| Damage::at(starts, "its fields are not those of an entry"))?;
        let wrong = || Damage::at(starts, "its fields do not fit each other");
        let key = match (&fields.user_id, &fields.session_id) {
            (Some(user_id), Some(session_id)) => {
                Some(StateKey::new(&**user_id, &**session_id).map_err(|_| wrong())?)
            }
            _ => None,
        };
        let (hash, previous) = (fields.hash, fields.previous);
        let entry = fields.into_entry(line, &trailer).ok_or_else(wrong)?;
        Ok(Self { entry, hash, previous, key, trailer })
    }

    /// Whose journal begins so, where no more of it is read.
    pub(super) fn peek_key(beginning: &[u8]) -> Option<StateKey> {
        #[derive(Deserialize)]
        struct Ids {
            user_id: String,
            session_id: String,
        }
        // No text has quotes in it that are not escaped, so the first is ours.
        let next = b",\"sequence\":";
        let end = beginning.windows(next.len()).position(|part| part == next)?;
        let mut ids = beginning.get(..end)?.to_vec();
        ids.push(b'}');
        let Ids { user_id, session_id } = serde_json::from_slice(&ids).ok()?;
        StateKey::new(user_id, session_id).ok()
    }

    /// When its record expires.
    pub(in crate::backend::file) fn expires_at(&self) -> Option<ExpiresAt> {
        self.trailer.expires_at
    }
}

impl Fields<'_> {
    fn into_entry(self, line: &Bytes, trailer: &Trailer) -> Option<Entry> {
        let kind = trailer.kind;
        let owned = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
        let raw = match kind {
            Kind::Keyframe => self.state,
            Kind::Change => self.change,
            Kind::Note => self.note,
            Kind::Gone => None,
        };
        let content = match (raw, self.text) {
            (Some(raw), None) => line.slice_ref(raw.get().as_bytes()),
            (None, Some(text)) => text.into_owned().into(),
            (None, None) => Bytes::new(),
            (Some(_), Some(_)) => return None,
        };
        let metadata = self.metadata.map(|metadata| metadata.get().to_owned());
        let has_state = matches!(kind, Kind::Keyframe | Kind::Change);
        // What the record's metadata say need not be said twice.
        let known = match &metadata {
            Some(metadata) if has_state => serde_json::from_str::<Metadata>(metadata).ok(),
            _ => None,
        };
        Some(Entry {
            sequence: self.sequence,
            event: self.event.into_owned(),
            version: self.version,
            write_id: self.write_id.into_owned(),
            at: trailer.at,
            process: self.process,
            host: self.host.into_owned(),
            actor: known.as_ref().and_then(|known| owned(known.actor.clone())),
            phase: known.as_ref().and_then(|known| owned(known.phase_completed.clone())),
            provider: known.as_ref().map(|known| known.llm_provider.clone().into_owned()),
            model: known.as_ref().map(|known| known.llm_model.clone().into_owned()),
            state_type: owned(self.state_type),
            schema_version: owned(self.schema_version),
            size: self.size,
            checksum: owned(self.checksum),
            metadata,
            kind,
            content,
        })
    }
}
