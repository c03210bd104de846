//! What is wrong with a journal.

use std::io;

use crate::error::Error;
use crate::key::StateKey;
use crate::record::SCHEMA_VERSION;

/// Why a journal does not tell what is under its key.
#[derive(Debug)]
pub(in crate::backend::file) enum Damage {
    /// It could not be read at all.
    Failed(io::Error),
    /// The line that starts at a byte is not what was written.
    Line { starts: u64, reason: String },
    /// What the key has is of a newer library.
    SchemaVersion(String),
}

impl Damage {
    pub(super) fn at(starts: u64, reason: &str) -> Self {
        Self::Line { starts, reason: reason.to_owned() }
    }

    /// What follows this place was acknowledged, and is not whole any more.
    pub(in crate::backend::file) fn cut_off(starts: u64) -> Self {
        Self::at(starts, "it is cut off, although `state.json` was made of it")
    }

    pub(in crate::backend::file) fn into_error(
        self,
        key: &StateKey,
        backend: &str,
        operation: &'static str,
    ) -> Error {
        match self {
            Self::Failed(error) => Error::backend(Some(key), backend, operation, error),
            Self::Line { starts, reason } => {
                let reason = format!("the line at byte {starts} of its journal: {reason}");
                Error::corrupt(key, backend, reason)
            }
            Self::SchemaVersion(found) => {
                let (key, backend) = (key.clone(), backend.to_owned());
                Error::SchemaVersion { key, backend, found, supported: SCHEMA_VERSION }
            }
        }
    }
}

impl From<io::Error> for Damage {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}
