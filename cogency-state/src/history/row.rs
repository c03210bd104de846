//! An entry with all that is stored of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::digest::HistoryHash;
use super::entry::{Entry, HistoryEntry};
use super::head::Anchor;
use crate::key::StateKey;

/// An entry of a history with all that is stored of it, as an archive takes it. It can be checked
/// by itself. As JSON it is an object:
///
/// | | |
/// |---|---|
/// | `previous`, `hash` | SHA-256, of the entry before it (64 zeros before the first) and of this |
/// | `sequence`, `event`, `version`, `write_id`, `process`, `host`, `actor`, `phase`, `provider`, `model`, `state_type`, `size` | as in [`HistoryEntry`] |
/// | `at` | when, in microseconds since 1970 |
/// | `schema_version`, `checksum`, `metadata` | of the record that was saved, or null; the metadata are JSON in a text, byte for byte |
/// | `kind` | `keyframe`: the content is the state. `change`: what makes it of the version before. `gone`: there is none any more. `note`: it is what it was |
/// | `content` | JSON in a text, byte for byte. A change is a list: `[from, length]` copies bytes of the version before, a text is new |
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRow {
    pub(crate) previous: HistoryHash,
    pub(crate) hash: HistoryHash,
    #[serde(flatten)]
    pub(crate) entry: Entry,
}

impl HistoryRow {
    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> Anchor {
        Anchor { sequence: self.entry.sequence, hash: self.hash }
    }

    /// The entry before it.
    #[must_use]
    pub fn before(&self) -> Anchor {
        Anchor { sequence: self.entry.sequence.saturating_sub(1), hash: self.previous }
    }

    /// Whether it is what was written in the history of this key.
    #[must_use]
    pub fn is_intact(&self, key: &StateKey) -> bool {
        self.entry.hash(key, self.previous) == self.hash
    }

    /// What is told of it, without what it keeps.
    #[must_use]
    pub fn told(self) -> HistoryEntry {
        self.entry.told(self.hash)
    }
}

/// What it keeps is for nobody else.
impl fmt::Debug for HistoryRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryRow")
            .field("sequence", &self.entry.sequence)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

/// Bytes that are a text.
pub(super) mod text {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        bytes: &Bytes,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text = std::str::from_utf8(bytes).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(text)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Bytes, D::Error> {
        String::deserialize(deserializer).map(Bytes::from)
    }
}
