//! What is stored under a key.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use twox_hash::{XxHash3_64, XxHash3_128};
use uuid::Uuid;

use crate::blob::BlobId;
use crate::key::StateKey;
use crate::rfc3339;

/// The version of the envelope around a state, that of Cogency for Python.
pub const SCHEMA_VERSION: &str = "1.0";

/// The last version: what every database can count to. A record that has it keeps it; its saves
/// differ in their write ids.
pub(crate) const MAX_VERSION: u64 = i64::MAX as u64;

/// A state as it is stored, with everything that is known about it.
///
/// A backend keeps it and gives it back equal. The simplest way is to keep what
/// [`to_json`](Record::to_json) gives and the [`revision`](Record::revision) beside it.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// The key that it is stored under.
    pub key: StateKey,
    /// Which save made it.
    pub revision: Revision,
    /// The version of the envelope, [`SCHEMA_VERSION`].
    pub schema_version: Cow<'static, str>,
    /// The Rust type of the state, where it is known.
    pub state_type: Option<Cow<'static, str>>,
    /// What is known about the state.
    pub metadata: Metadata,
    /// The state as compact JSON, to be kept byte for byte.
    pub state: Bytes,
    /// Of `state`, where its writer made one.
    pub checksum: Option<Checksum>,
}

impl Record {
    /// A record of the current schema version, with its checksum.
    #[must_use]
    pub fn new(
        key: StateKey,
        revision: Revision,
        state_type: Option<Cow<'static, str>>,
        metadata: Metadata,
        state: Bytes,
    ) -> Self {
        let checksum = Checksum::of(&state);
        Self::with_checksum(key, revision, state_type, metadata, state, checksum)
    }

    pub(crate) fn with_checksum(
        key: StateKey,
        revision: Revision,
        state_type: Option<Cow<'static, str>>,
        metadata: Metadata,
        state: Bytes,
        checksum: Checksum,
    ) -> Self {
        let schema_version = Cow::Borrowed(SCHEMA_VERSION);
        let checksum = Some(checksum);
        Self { key, revision, schema_version, state_type, metadata, state, checksum }
    }

    /// Whether the state is the one that the checksum was made of; true where there is none.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.checksum.is_none_or(|sum| sum == Checksum::of(&self.state))
    }
}

/// States are private: only the length of one is shown.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("key", &self.key)
            .field("revision", &self.revision)
            .field("schema_version", &self.schema_version)
            .field("state_type", &self.state_type)
            .field("metadata", &self.metadata)
            .field("state", &format_args!("<{} bytes>", self.state.len()))
            .field("checksum", &self.checksum)
            .finish()
    }
}

/// Which save made a record: what a compare-and-set compares.
///
/// The write id tells two records apart that have the same version because the state was deleted
/// and made anew in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Revision {
    /// 1 for the first save, one more for each save after it; 0 for a record that another
    /// program wrote without one.
    pub version: u64,
    /// Differs from save to save.
    pub write_id: WriteId,
}

impl Revision {
    /// The revision that a save makes of the one that it replaces.
    #[must_use]
    pub fn after(replaced: Option<Self>) -> Self {
        let version = MAX_VERSION.min(version_of(replaced).saturating_add(1));
        Self { version, write_id: WriteId::generate() }
    }
}

/// The version of a record; 0 where there is none.
pub(crate) fn version_of(revision: Option<Revision>) -> u64 {
    revision.map_or(0, |revision| revision.version)
}

/// The id of one save: a save whose answer was lost is found again by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WriteId(Uuid);

impl WriteId {
    /// The length of its text.
    #[cfg(feature = "redis")]
    pub(crate) const LEN: usize = uuid::fmt::Hyphenated::LENGTH;

    /// A new id (a UUID of version 4, RFC 9562).
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::new_v4())
    }

    /// The id of a record that another program wrote without one: made of its bytes, so that it
    /// changes when they do (a UUID of version 8, RFC 9562).
    #[must_use]
    pub fn of_foreign(bytes: &[u8]) -> Self {
        Self(Uuid::new_v8(XxHash3_128::oneshot(bytes).to_be_bytes()))
    }
}

impl fmt::Display for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for WriteId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// XXH3 of 64 bits: it finds damage, not forgery. In text it is 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Checksum(pub u64);

impl Checksum {
    /// The checksum of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(XxHash3_64::oneshot(bytes))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

/// What is known about a state: the fields of Cogency for Python, and custom ones beside them.
///
/// What a record says stays with it from save to save; only the time is new.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Metadata {
    /// Who offers the LLM that wrote the state, `"unknown"` unless told.
    pub llm_provider: Cow<'static, str>,
    /// The LLM that wrote the state, `"unknown"` unless told.
    pub llm_model: Cow<'static, str>,
    /// How many tools the agent had.
    pub tools_count: u64,
    /// The agent's memory, `"unknown"` unless told; not this library's backend.
    pub memory_backend: Cow<'static, str>,
    /// When the state was saved, by the writer's clock.
    pub saved_at: Option<SavedAt>,
    /// The phase whose call wrote the state, where the function is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase_completed: Option<Cow<'static, str>>,
    /// The version of the state's type, where the program counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_version: Option<u32>,
    /// On whose behalf the state was written, where the program says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Cow<'static, str>>,
    /// The [blobs](crate::Blob) that the state names, which are stored beside it. `None` where
    /// none is and none has been; empty where only earlier versions named some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob_ids: Option<Vec<BlobId>>,
    /// Fields of the program's own.
    #[serde(flatten)]
    pub custom: serde_json::Map<String, serde_json::Value>,
}

impl Metadata {
    /// The metadata of a save that happens now.
    #[must_use]
    pub fn now() -> Self {
        Self::default().saved_now()
    }

    /// The same, for a save that happens now: what is not known better stays.
    #[must_use]
    pub(crate) fn saved_now(mut self) -> Self {
        self.saved_at = Some(SavedAt::now());
        self
    }
}

/// When a state was saved. As text it is RFC 3339 in UTC with microseconds, such as
/// `2026-01-31T12:00:00.000000Z`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum SavedAt {
    /// A moment, in whole microseconds.
    Time(SystemTime),
    /// What another program wrote in another form; Cogency for Python wrote local times without a
    /// zone.
    Text(String),
}

impl SavedAt {
    /// This moment.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let whole = Duration::new(since.as_secs(), since.subsec_micros() * 1000);
        Self::Time(UNIX_EPOCH + whole)
    }
}

impl fmt::Display for SavedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => rfc3339::format(*time).fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl From<SavedAt> for String {
    fn from(saved_at: SavedAt) -> Self {
        saved_at.to_string()
    }
}

impl From<String> for SavedAt {
    fn from(text: String) -> Self {
        match humantime::parse_rfc3339(&text).map(Self::Time) {
            // Only if the same text comes out again.
            Ok(time) if time.to_string() == text => time,
            _ => Self::Text(text),
        }
    }
}

impl Default for Metadata {
    fn default() -> Self {
        const UNKNOWN: Cow<'static, str> = Cow::Borrowed("unknown");
        Self {
            llm_provider: UNKNOWN,
            llm_model: UNKNOWN,
            tools_count: 0,
            memory_backend: UNKNOWN,
            saved_at: None,
            phase_completed: None,
            state_version: None,
            actor: None,
            blob_ids: None,
            custom: serde_json::Map::new(),
        }
    }
}

/// Custom fields are the program's: only their names are shown.
impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata")
            .field("llm_provider", &self.llm_provider)
            .field("llm_model", &self.llm_model)
            .field("tools_count", &self.tools_count)
            .field("memory_backend", &self.memory_backend)
            .field("saved_at", &self.saved_at)
            .field("phase_completed", &self.phase_completed)
            .field("state_version", &self.state_version)
            .field("actor", &self.actor)
            .field("blob_ids", &self.blob_ids)
            .field("custom", &self.custom.keys())
            .finish()
    }
}
