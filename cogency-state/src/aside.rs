//! What was set aside: a record that is kept, but not under its key any more.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Error;
use crate::key::StateKey;
use crate::record::{Metadata, SavedAt};

/// A record that was set aside, intact byte for byte: why, when, and whose it is.
///
/// [`StateManager::quarantined`](crate::StateManager::quarantined) lists them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
#[non_exhaustive]
pub struct Aside {
    /// Tells it from all others.
    pub id: AsideId,
    /// The key that it was stored under.
    pub key: StateKey,
    /// Why it is not there any more.
    pub reason: AsideReason,
    /// When that was, by the clock of the process that did it.
    pub at: SavedAt,
    /// The version that it had, where it could be read.
    pub version: Option<u64>,
    /// Who offers the LLM that wrote it, where it could be read.
    pub llm_provider: Option<String>,
    /// The LLM that wrote it, where it could be read.
    pub llm_model: Option<String>,
}

impl Aside {
    /// What is stored under a key, about to be set aside.
    #[must_use]
    pub fn new(key: StateKey, reason: AsideReason) -> Self {
        let (id, at) = (AsideId::generate(), SavedAt::now());
        Self { id, key, reason, at, version: None, llm_provider: None, llm_model: None }
    }

    /// The same with what is known about it.
    #[must_use]
    pub fn with_metadata(mut self, version: u64, metadata: &Metadata) -> Self {
        self.version = Some(version);
        self.llm_provider = Some(metadata.llm_provider.clone().into_owned());
        self.llm_model = Some(metadata.llm_model.clone().into_owned());
        self
    }

    /// What a backend keeps beside the record: one line of JSON.
    ///
    /// # Errors
    /// None that can happen: it is texts and a number.
    pub fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| {
            Error::backend(Some(&self.key), "what was set aside", "write what is known of", error)
        })
    }

    /// Reads what [`to_json`](Self::to_json) gave; `None` if that is something else.
    #[must_use]
    pub fn from_json(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }
}

/// The id of a record that was set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AsideId(Uuid);

impl AsideId {
    /// A new id (a UUID of version 4, RFC 9562).
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for AsideId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for AsideId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Why a record was set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AsideReason {
    /// It could not be read.
    Corrupt,
    /// Its envelope is of a version that this library does not know.
    SchemaVersion,
    /// It is a state of another type, or one that does not fit the type any more.
    StateType,
    /// Another LLM wrote it.
    Llm,
    /// A state that had been set aside was restored in its place.
    Replaced,
    /// Something else changed what it was to replace.
    Conflict,
    /// What a newer version of this library calls it.
    #[serde(other)]
    Other,
}

impl AsideReason {
    /// Its name, as it is stored: `corrupt`, `schema_version`, `state_type`, `llm`, `replaced`,
    /// `conflict`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Corrupt => "corrupt",
            Self::SchemaVersion => "schema_version",
            Self::StateType => "state_type",
            Self::Llm => "llm",
            Self::Replaced => "replaced",
            Self::Conflict => "conflict",
            Self::Other => "other",
        }
    }

    /// Why what could not be read is set aside; `None` of an error that says something else.
    pub(crate) fn of(error: &Error) -> Option<Self> {
        match error {
            Error::Corrupt { .. } => Some(Self::Corrupt),
            Error::SchemaVersion { .. } => Some(Self::SchemaVersion),
            Error::StateType { .. } | Error::StateVersion { .. } | Error::Decode { .. } => {
                Some(Self::StateType)
            }
            _ => None,
        }
    }
}

impl fmt::Display for AsideReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An [`Aside`] as JSON.
#[derive(Serialize, Deserialize)]
struct Stored {
    id: AsideId,
    user_id: String,
    session_id: String,
    reason: AsideReason,
    at: SavedAt,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    llm_provider: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    llm_model: Option<String>,
}

impl From<Aside> for Stored {
    fn from(aside: Aside) -> Self {
        let Aside { id, key, reason, at, version, llm_provider, llm_model } = aside;
        let (user_id, session_id) = (key.user_id().to_owned(), key.session_id().to_owned());
        Self { id, user_id, session_id, reason, at, version, llm_provider, llm_model }
    }
}

impl TryFrom<Stored> for Aside {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self, Error> {
        let Stored { id, user_id, session_id, reason, at, version, llm_provider, llm_model } =
            stored;
        let key = StateKey::new(user_id, session_id)?;
        Ok(Self { id, key, reason, at, version, llm_provider, llm_model })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_from_its_json_whatever_the_key() {
        for user_id in ["alice", "a/b\n\"", "日本"] {
            let key = StateKey::new(user_id, "x").unwrap();
            let aside = Aside::new(key, AsideReason::Llm).with_metadata(7, &Metadata::now());
            assert_eq!(Aside::from_json(aside.to_json().unwrap().as_bytes()), Some(aside));
        }
    }

    #[test]
    fn a_reason_of_the_future_is_another_one() {
        let text = r#"{"id":"b579a460-15b9-41ae-848c-ae8446d3633b","user_id":"a","session_id":"b",
            "reason":"moonlight","at":"2026-01-31T12:00:00.000000Z"}"#;
        assert_eq!(Aside::from_json(text.as_bytes()).unwrap().reason, AsideReason::Other);
    }
}
