//! What a row means.

use std::borrow::Cow;

use bytes::Bytes;

use super::problem::Problem;
use super::statement::Cells;
use crate::error::Error;
use crate::key::StateKey;
use crate::record::{Checksum, MAX_VERSION, Metadata, Record, Revision, SCHEMA_VERSION, WriteId};

/// The record in a row, whose columns begin at `at`:
///
/// version, write id, schema version, type, metadata, checksum, state
///
/// `None` if they are null.
pub(super) fn record(
    location: &str,
    key: &StateKey,
    row: &dyn Cells,
    at: usize,
) -> Result<Option<Record>, Error> {
    let unreadable = |problem| unreadable(location, key, problem);
    let Some(bare) = bare(key, row, at).map_err(unreadable)? else { return Ok(None) };
    let state = state(row, at).map_err(unreadable)?;
    intact(location, Record { state, ..bare }).map(Some)
}

/// The same without its state, which may stand elsewhere.
pub(super) fn bare(
    key: &StateKey,
    row: &dyn Cells,
    at: usize,
) -> Result<Option<Record>, Unreadable> {
    Columns { row, at }.bare(key)
}

/// Its state.
pub(super) fn state(row: &dyn Cells, at: usize) -> Result<Bytes, Unreadable> {
    let state = row.bytes(at + 6).map_err(|_| DAMAGED)?.ok_or(DAMAGED)?;
    Ok(state.into())
}

/// A record, if its state is the one that was saved.
pub(super) fn intact(location: &str, record: Record) -> Result<Record, Error> {
    if record.is_intact() {
        return Ok(record);
    }
    let reason = "its checksum does not match; to accept a state that was edited, set the column \
                  `checksum` to null";
    Err(Error::corrupt(&record.key, location, reason))
}

/// That a row is no record.
pub(super) fn unreadable(location: &str, key: &StateKey, problem: Unreadable) -> Error {
    match problem {
        Unreadable::Damaged(reason) => Error::corrupt(key, location, reason),
        Unreadable::SchemaVersion(found) => Error::SchemaVersion {
            key: key.clone(),
            backend: location.to_owned(),
            found,
            supported: SCHEMA_VERSION,
        },
    }
}

/// A column of text.
pub(super) fn text(row: &dyn Cells, column: usize) -> Result<Option<String>, Problem> {
    let bytes = row.bytes(column)?;
    let text = bytes.map(String::from_utf8).transpose();
    text.map_err(|_| Problem::Strange("a column is no text in UTF-8"))
}

/// Why a row is no record.
pub(super) enum Unreadable {
    Damaged(&'static str),
    SchemaVersion(String),
}

const DAMAGED: Unreadable = Unreadable::Damaged("a column does not hold what it should");

struct Columns<'a> {
    row: &'a dyn Cells,
    at: usize,
}

impl Columns<'_> {
    fn bare(&self, key: &StateKey) -> Result<Option<Record>, Unreadable> {
        let version = self.row.int(self.at).map_err(|_| DAMAGED)?;
        let Some(version) = version else { return Ok(None) };
        // A newer one may differ in any column: it is looked at first.
        let schema_version = self.text(2)?.ok_or(DAMAGED)?;
        if schema_version != SCHEMA_VERSION {
            return Err(Unreadable::SchemaVersion(schema_version));
        }
        let version = u64::try_from(version).ok().filter(|version| *version <= MAX_VERSION);
        let version = version.ok_or(Unreadable::Damaged("its version is not one"))?;
        let write_id = self.text(1)?.and_then(|text| text.trim_end().parse::<WriteId>().ok());
        let write_id = write_id.ok_or(Unreadable::Damaged("its write id is not one"))?;
        let metadata = self.text(4)?.unwrap_or_default();
        let metadata: Metadata = serde_json::from_str(&metadata)
            .map_err(|_| Unreadable::Damaged("its metadata are not those of a record"))?;
        Ok(Some(Record {
            key: key.clone(),
            revision: Revision { version, write_id },
            schema_version: Cow::Borrowed(SCHEMA_VERSION),
            state_type: self.text(3)?.map(Cow::Owned),
            metadata,
            state: Bytes::new(),
            checksum: self.text(5)?.map(|text| checksum(&text)).transpose()?,
        }))
    }

    fn text(&self, column: usize) -> Result<Option<String>, Unreadable> {
        text(self.row, self.at + column)
            .map_err(|_| Unreadable::Damaged("a column is no text in UTF-8"))
    }
}

fn checksum(text: &str) -> Result<Checksum, Unreadable> {
    let digits = u64::from_str_radix(text.trim_end(), 16);
    digits.map(Checksum).map_err(|_| Unreadable::Damaged("its checksum is not one"))
}
