//! What must be there for a save to happen.

use bytes::Bytes;

use crate::backend::Write;
use crate::backend::redis::known::Known;
use crate::envelope;
use crate::error::Error;

/// What must be there for a save to happen.
pub(super) enum Expected {
    Nothing,
    /// A value that begins so.
    Beginning(Bytes),
    /// This value.
    Whole(Bytes),
}

impl Expected {
    pub(super) fn of(write: &Write, known: &Known) -> Result<Self, Error> {
        let Some(revision) = write.expected else { return Ok(Self::Nothing) };
        let key = &write.record.key;
        Ok(Self::Beginning(match known.beginning_of(key, revision) {
            Some(beginning) => beginning,
            None => envelope::beginning(key, revision)?.into(),
        }))
    }

    pub(super) fn is(&self, document: &Bytes) -> bool {
        matches!(self, Self::Whole(expected) if expected == document)
    }

    pub(super) fn beginning(&self) -> &[u8] {
        match self {
            Self::Nothing => &[],
            Self::Beginning(bytes) | Self::Whole(bytes) => bytes,
        }
    }

    /// Whether the save makes a record, or makes one of another program's.
    pub(super) fn makes_a_record(&self) -> bool {
        !matches!(self, Self::Beginning(_))
    }

    /// The length of the value, as the script takes it.
    pub(super) fn length(&self) -> String {
        match self {
            Self::Whole(bytes) => bytes.len().to_string(),
            _ => "-1".to_owned(),
        }
    }
}
