//! The document of a record whose state is in its history:
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
//!   "in_history": {"keyframe":5,"entry":17,"bytes":300123},
//!   "checksum": "<of the state> <of everything above this line>"
//! }
//! ```
//!
//! It begins as any other does. The state is what the entries from the keyframe on make, and takes
//! so many bytes. Who does not know of this finds no state, and refuses it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    BEFORE_CHECKSUM, CHECKSUMS_LEN, Unreadable, begins_as_ours, checksum_at, damaged, fields_of,
    write_field, write_head,
};
use crate::key::StateKey;
use crate::record::{Checksum, Record, Revision};

const AFTER_CHECKSUM: &[u8] = b"\"\n}\n";

/// Where a state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The entry that the rebuild begins with.
    pub(crate) keyframe: u64,
    /// The entry of the save.
    pub(crate) entry: u64,
    /// How many the state takes.
    pub(crate) bytes: u64,
}

/// A record whose state is elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct InHistory {
    /// Without the state, but with its checksum.
    pub(crate) record: Record,
    pub(crate) place: Place,
}

/// Writes a record without its state.
pub(crate) fn write(record: &Record, place: Place) -> Result<Bytes, serde_json::Error> {
    let mut text = Vec::new();
    write_head(&mut text, record, None)?;
    write_field(&mut text, b",\n  \"in_history\": ", &place)?;
    let of_head = Checksum::of(&text);
    let of_state = record.checksum.unwrap_or_else(|| Checksum::of(&record.state));
    text.extend_from_slice(BEFORE_CHECKSUM);
    text.extend_from_slice(format!("{of_state} {of_head}").as_bytes());
    text.extend_from_slice(AFTER_CHECKSUM);
    Ok(text.into())
}

/// Reads such a document; `None` if it is another one, or is cut off.
pub(crate) fn read(key: &StateKey, document: &Bytes) -> Option<Result<InHistory, Unreadable>> {
    let head = document.len().checked_sub(rest_len())?;
    let is_one = begins_as_ours(document)
        && document.get(head..)?.starts_with(BEFORE_CHECKSUM)
        && document.get(head + BEFORE_CHECKSUM.len() + CHECKSUMS_LEN / 2) == Some(&b' ')
        && document.ends_with(AFTER_CHECKSUM);
    is_one.then(|| read_behind(key, document, head))
}

/// What stands behind the fields.
fn rest_len() -> usize {
    BEFORE_CHECKSUM.len() + CHECKSUMS_LEN + AFTER_CHECKSUM.len()
}

fn read_behind(key: &StateKey, document: &Bytes, head: usize) -> Result<InHistory, Unreadable> {
    #[derive(Deserialize)]
    struct OnlyPlace {
        in_history: Place,
    }
    let fields = fields_of(document, head)?;
    let of_head = document.get(..head).unwrap_or_default();
    let Ok(OnlyPlace { in_history }) = serde_json::from_slice(&[of_head, b"}"].concat()) else {
        return damaged("it does not say where its state is");
    };
    let Some(checksum) = checksum_at(document, head, 0) else {
        return damaged("the checksum of its state is not one");
    };
    let (Some(version), Some(write_id)) = (fields.version, fields.write_id) else {
        return damaged("it has no version or no write id");
    };
    let revision = Revision { version, write_id };
    let decoded = fields.into_decoded(key, revision, Bytes::new(), Some(checksum))?;
    if decoded.record.key != *key {
        return damaged(format!("it is the record of {}", decoded.record.key));
    }
    Ok(InHistory { record: decoded.record, place: in_history })
}

impl InHistory {
    /// The record with its state, if that is the one that was saved.
    pub(crate) fn with_state(self, state: Bytes) -> Option<Record> {
        let record = Record { state, ..self.record };
        let is_its = record.state.len() as u64 == self.place.bytes && record.is_intact();
        is_its.then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Metadata, WriteId};

    fn record() -> Record {
        let revision = Revision { version: 3, write_id: WriteId::generate() };
        let key = StateKey::for_user("alice").unwrap();
        Record::new(key, revision, None, Metadata::now(), r#"{"turns":["hello"]}"#.into())
    }

    #[test]
    fn a_record_without_its_state_comes_back_with_it_and_not_with_another() {
        let (record, place) = (record(), Place { keyframe: 5, entry: 17, bytes: 19 });
        let document = write(&record, place).unwrap();
        let read = read(&record.key, &document).unwrap().unwrap();
        assert_eq!(read.place, place);
        assert!(read.clone().with_state(r#"{"turns":["hullo"]}"#.into()).is_none());
        assert!(read.clone().with_state(r#"{"turns":["hello"]} "#.into()).is_none());
        assert_eq!(read.with_state(record.state.clone()), Some(record));
    }

    #[test]
    fn each_byte_of_it_counts() {
        let record = record();
        let document = write(&record, Place { keyframe: 1, entry: 1, bytes: 19 }).unwrap();
        for at in 0..document.len() {
            let mut damaged = document.to_vec();
            damaged[at] ^= 1;
            let read = read(&record.key, &damaged.into()).and_then(Result::ok);
            let found = read.and_then(|read| read.with_state(record.state.clone()));
            assert!(found.is_none(), "byte {at}");
        }
    }

    #[test]
    fn who_does_not_know_of_it_refuses_it() {
        let record = record();
        let document = write(&record, Place { keyframe: 1, entry: 1, bytes: 19 }).unwrap();
        assert!(super::super::decode(&record.key, &document).is_err());
        let other = StateKey::for_user("bob").unwrap();
        assert!(read(&other, &document).unwrap().is_err());
        assert!(read(&record.key, &record.to_json().unwrap()).is_none());
    }
}
