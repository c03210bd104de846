//! A record as one JSON document: the `state`, `metadata` and `schema_version` of the original, the
//! Python library Cogency, and this library's fields before the state.
//!
//! ```text
//! {
//!   "schema_version": "1.0",
//!   "user_id": "alice",
//!   "session_id": "default",
//!   "version": 3,
//!   "write_id": "2f1c9a4e-...",
//!   "state_type": "chat::Chat",
//!   "metadata": {"llm_provider":"unknown", ...},
//!   "checksum": "<of the state> <of everything above this line>",
//!   "state": {"turns":["hello"]}
//! }
//! ```
//!
//! The state comes last and on a line of its own, so that a reader finds it without reading
//! through it. A document of another shape (the original's, or one that a person edited) is read
//! as any JSON; it must not claim a checksum, which it would not match.
//!
//! Where the place does not let records expire by itself, the second field says when this one
//! does: `"expires_at": "2026-01-31T12:00:00.000000Z"`. Whoever lists need not read on.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
#[cfg(feature = "redis")]
pub(crate) mod in_history;

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::expires_at::ExpiresAt;
use crate::key::StateKey;
use crate::record::{Checksum, MAX_VERSION, Metadata, Record, Revision, SCHEMA_VERSION, WriteId};

const BEGIN: &[u8] = b"{\n  \"schema_version\": ";
const BEFORE_CHECKSUM: &[u8] = b",\n  \"checksum\": \"";
const BEFORE_STATE: &[u8] = b"\",\n  \"state\": ";
const END: &[u8] = b"\n}\n";
/// Two checksums of 16 digits and a space.
const CHECKSUMS_LEN: usize = 33;

/// Why a document is not a record that this library can read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Damaged(String),
    SchemaVersion(String),
}

impl Unreadable {
    pub(crate) fn into_error(self, key: &StateKey, backend: &str) -> Error {
        match self {
            Self::Damaged(reason) => Error::corrupt(key, backend, reason),
            Self::SchemaVersion(found) => {
                let (key, backend) = (key.clone(), backend.to_owned());
                Error::SchemaVersion { key, backend, found, supported: SCHEMA_VERSION }
            }
        }
    }
}

fn damaged<R>(reason: impl Into<String>) -> Result<R, Unreadable> {
    Err(Unreadable::Damaged(reason.into()))
}

/// The fields of a document, all but the state. The original's documents have the first two.
#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    metadata: Metadata,
    schema_version: Option<String>,
    expires_at: Option<ExpiresAt>,
    user_id: Option<String>,
    session_id: Option<String>,
    version: Option<u64>,
    write_id: Option<WriteId>,
    state_type: Option<String>,
}

/// Everything of a document that stands before the state, and what follows it.
pub(crate) fn around(
    record: &Record,
    expires_at: Option<ExpiresAt>,
) -> Result<(Vec<u8>, &'static [u8]), serde_json::Error> {
    /// More than most fields take.
    const FIELDS_LEN: usize = 768;
    let mut text = Vec::with_capacity(FIELDS_LEN);
    write_head(&mut text, record, expires_at)?;
    let of_head = Checksum::of(&text);
    let of_state = record.checksum.unwrap_or_else(|| Checksum::of(&record.state));
    text.extend_from_slice(BEFORE_CHECKSUM);
    text.extend_from_slice(format!("{of_state} {of_head}").as_bytes());
    text.extend_from_slice(BEFORE_STATE);
    Ok((text, END))
}

/// All fields but the checksum and the state.
fn write_head(
    text: &mut Vec<u8>,
    record: &Record,
    expires_at: Option<ExpiresAt>,
) -> Result<(), serde_json::Error> {
    write_field(text, BEGIN, &record.schema_version)?;
    if let Some(expires_at) = expires_at {
        write_field(text, b",\n  \"expires_at\": ", &expires_at)?;
    }
    write_ids(text, &record.key, record.revision)?;
    if let Some(state_type) = &record.state_type {
        write_field(text, b",\n  \"state_type\": ", state_type)?;
    }
    write_field(text, b",\n  \"metadata\": ", &record.metadata)
}

fn write_ids(
    text: &mut Vec<u8>,
    key: &StateKey,
    revision: Revision,
) -> Result<(), serde_json::Error> {
    write_field(text, b",\n  \"user_id\": ", key.user_id())?;
    write_field(text, b",\n  \"session_id\": ", key.session_id())?;
    write_field(text, b",\n  \"version\": ", &revision.version)?;
    write_field(text, b",\n  \"write_id\": ", &revision.write_id)
}

fn write_field<T: Serialize + ?Sized>(
    text: &mut Vec<u8>,
    name: &[u8],
    value: &T,
) -> Result<(), serde_json::Error> {
    text.extend_from_slice(name);
    serde_json::to_writer(text, value)
}

/// How the document of this revision begins, and that of no other: up to its write id.
#[cfg(feature = "redis")]
pub(crate) fn beginning(key: &StateKey, revision: Revision) -> Result<Vec<u8>, Error> {
    let mut text = Vec::new();
    write_field(&mut text, BEGIN, SCHEMA_VERSION)
        .and_then(|()| write_ids(&mut text, key, revision))
        .map_err(|error| Error::backend(Some(key), "the envelope", "write the ids of", error))?;
    Ok(text)
}

/// The same, of a document that this library wrote.
#[cfg(feature = "redis")]
pub(crate) fn beginning_of(document: &Bytes, write_id: WriteId) -> Option<Bytes> {
    const BEFORE_WRITE_ID: &[u8] = b"\n  \"write_id\": \"";
    // No value that JSON writes has a line break in it, so the first is ours.
    let before =
        document.windows(BEFORE_WRITE_ID.len()).position(|part| part == BEFORE_WRITE_ID)?;
    let start = before + BEFORE_WRITE_ID.len();
    let end = start + WriteId::LEN;
    let is_its = document.get(start..end)? == write_id.to_string().as_bytes();
    (is_its && document.get(end) == Some(&b'"')).then(|| document.slice(..=end))
}

/// What a document holds.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) record: Record,
    pub(crate) expires_at: Option<ExpiresAt>,
}

/// Reads a document.
pub(crate) fn decode(key: &StateKey, document: &Bytes) -> Result<Decoded, Unreadable> {
    let decoded = match split(document) {
        Some(parts) => decode_own(key, document, &parts)?,
        None => decode_foreign(key, document)?,
    };
    if !decoded.record.is_intact() {
        return damaged("the checksum of its state does not match");
    }
    if decoded.record.key != *key {
        return damaged(format!("it is the record of {}", decoded.record.key));
    }
    Ok(decoded)
}

/// Whose record a document is, if this library wrote it: also of one that is damaged behind its
/// fields.
pub(crate) fn peek_key(document: &[u8]) -> Option<StateKey> {
    let fields = Parts::find(document)?.fields(document).ok()?;
    StateKey::new(fields.user_id?, fields.session_id?).ok()
}

/// Where the parts of a document stand that this library wrote.
struct Parts {
    /// The length of the fields, without the brace that closes them.
    head: usize,
    state: usize,
}

impl Parts {
    /// No value that JSON writes has a line break in it, so the first is ours.
    fn find(document: &[u8]) -> Option<Self> {
        let head =
            document.windows(BEFORE_CHECKSUM.len()).position(|part| part == BEFORE_CHECKSUM)?;
        let state = head + BEFORE_CHECKSUM.len() + CHECKSUMS_LEN + BEFORE_STATE.len();
        let before_state = document.get(state - BEFORE_STATE.len()..state)?;
        (before_state == BEFORE_STATE).then_some(Self { head, state })
    }

    fn fields(&self, document: &[u8]) -> Result<Fields, Unreadable> {
        fields_of(document, self.head)
    }

    fn checksum(&self, document: &[u8], offset: usize) -> Option<Checksum> {
        checksum_at(document, self.head, offset)
    }
}

/// The fields of a document, which take so many bytes without the brace that closes them.
fn fields_of(document: &[u8], len: usize) -> Result<Fields, Unreadable> {
    let mut head = document.get(..len).unwrap_or_default().to_vec();
    let of_head = Checksum::of(&head);
    if checksum_at(document, len, CHECKSUMS_LEN - 16) != Some(of_head) {
        return damaged("the checksum of its fields does not match");
    }
    head.push(b'}');
    parse_fields(&head)
}

/// One of the two checksums behind the fields.
fn checksum_at(document: &[u8], fields_len: usize, offset: usize) -> Option<Checksum> {
    let start = fields_len + BEFORE_CHECKSUM.len() + offset;
    let digits = std::str::from_utf8(document.get(start..start + 16)?).ok()?;
    u64::from_str_radix(digits, 16).ok().map(Checksum)
}

/// Whether a document has its fields where this library writes them.
pub(crate) fn begins_as_ours(document: &[u8]) -> bool {
    document.starts_with(BEGIN)
}

/// Whether this library wrote a document, and nobody edited it since.
pub(crate) fn is_ours(document: &[u8]) -> bool {
    split(document).is_some_and(|parts| parts.fields(document).is_ok())
}

fn split(document: &[u8]) -> Option<Parts> {
    begins_as_ours(document).then(|| Parts::find(document)).flatten()
}

fn decode_own(key: &StateKey, document: &Bytes, parts: &Parts) -> Result<Decoded, Unreadable> {
    let fields = parts.fields(document)?;
    let end = document.len().saturating_sub(END.len());
    if !document.ends_with(END) || end < parts.state {
        return damaged(
            "it is cut off; if it was edited, remove the line `checksum` to accept that",
        );
    }
    let Some(checksum) = parts.checksum(document, 0) else {
        return damaged("the checksum of its state is not one");
    };
    let (Some(version), Some(write_id)) = (fields.version, fields.write_id) else {
        return damaged("it has no version or no write id");
    };
    let revision = Revision { version, write_id };
    fields.into_decoded(key, revision, document.slice(parts.state..end), Some(checksum))
}

/// A document that this library did not write, or that somebody edited since.
fn decode_foreign(key: &StateKey, document: &Bytes) -> Result<Decoded, Unreadable> {
    /// What is there counts, also if it is `null`.
    #[derive(Deserialize)]
    struct Rest<'a> {
        #[serde(borrow, default, deserialize_with = "present")]
        state: Option<&'a RawValue>,
        #[serde(borrow, default, deserialize_with = "present")]
        checksum: Option<&'a RawValue>,
    }
    fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<&'de RawValue>, D::Error> {
        Deserialize::deserialize(value).map(Some)
    }
    let fields = parse_fields(document)?;
    let Ok(rest) = serde_json::from_slice::<Rest<'_>>(document) else {
        return damaged("it is not JSON, or has a field twice");
    };
    if rest.checksum.is_some() {
        return damaged(
            "another program wrote it and left the checksum: to accept what it wrote, remove \
             the line `checksum`",
        );
    }
    let Some(state) = rest.state else { return damaged("it has no state") };
    let state = document.slice_ref(state.get().as_bytes());
    let write_id = WriteId::of_foreign(document);
    let revision = Revision { version: fields.version.unwrap_or(0), write_id };
    fields.into_decoded(key, revision, state, None)
}

fn parse_fields(json: &[u8]) -> Result<Fields, Unreadable> {
    #[derive(Deserialize)]
    struct OnlyVersion {
        schema_version: String,
    }
    // A newer envelope may differ in any field: its version is looked at first.
    let version = serde_json::from_slice::<OnlyVersion>(json);
    if let Ok(OnlyVersion { schema_version }) = version
        && schema_version != SCHEMA_VERSION
    {
        return Err(Unreadable::SchemaVersion(schema_version));
    }
    serde_json::from_slice(json).or_else(|error| {
        let problem = match error.classify() {
            Category::Eof => "it is cut off",
            Category::Syntax | Category::Io => "it is no JSON",
            Category::Data => "its fields are not those of a record",
        };
        damaged(format!("{problem}, at line {} column {}", error.line(), error.column()))
    })
}

impl Fields {
    fn into_decoded(
        self,
        key: &StateKey,
        revision: Revision,
        state: Bytes,
        checksum: Option<Checksum>,
    ) -> Result<Decoded, Unreadable> {
        if self.schema_version.is_none() {
            return damaged("it has no schema version");
        }
        if self.version > Some(MAX_VERSION) {
            return damaged("its version is too large");
        }
        let key = match (self.user_id, self.session_id) {
            (Some(user_id), Some(session_id)) => StateKey::new(user_id, session_id)
                .or_else(|_| damaged("its user or session id is not one"))?,
            _ => key.clone(),
        };
        let record = Record {
            key,
            revision,
            schema_version: Cow::Borrowed(SCHEMA_VERSION),
            state_type: self.state_type.map(Cow::Owned),
            metadata: self.metadata,
            state,
            checksum,
        };
        Ok(Decoded { record, expires_at: self.expires_at })
    }
}

impl Record {
    /// The record as one JSON document, as the file backend stores it. The way to keep records
    /// in a backend of one's own.
    ///
    /// # Errors
    /// If a custom metadata field cannot be written as JSON, which `serde_json`'s own values can.
    pub fn to_json(&self) -> Result<Bytes, Error> {
        let (mut document, end) = around(self, None).map_err(|error| {
            Error::backend(Some(&self.key), "the envelope", "write the metadata of", error)
        })?;
        document.reserve(self.state.len() + end.len());
        document.extend_from_slice(&self.state);
        document.extend_from_slice(end);
        Ok(document.into())
    }

    /// Reads what [`to_json`](Self::to_json) gave, or what Cogency for Python wrote, for the key that
    /// it was found under. `backend` is the location to show in errors. The field `expires_at` of
    /// a state file has no say here.
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::SchemaVersion`].
    pub fn from_json(key: &StateKey, backend: &str, document: &Bytes) -> Result<Self, Error> {
        let decoded = decode(key, document);
        let decoded = decoded.map_err(|unreadable| unreadable.into_error(key, backend))?;
        Ok(decoded.record)
    }
}
