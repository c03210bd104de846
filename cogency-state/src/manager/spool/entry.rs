//! One save in the spool: a line about it, and the record as the file backend writes it.
//!
//! ```text
//! {"spooled_at":"2026-01-31T12:00:00.000000Z","expected":{"version":3,"write_id":"..."},"ttl_ms":null,"action":"save","checksum":"<of all but itself>"}
//! {
//!   "schema_version": "1.0",
//!   ...
//! ```
//!
//! Two JSON values, which `jq` shows one after the other. New blobs of the state follow, a line of
//! JSON for each, with its bytes in base64; the first line says then where: `"record_bytes":1234`.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::backend::{Action, Write};
use crate::blob::Blob;
use crate::envelope;
use crate::error::Error;
use crate::key::StateKey;
use crate::record::{Checksum, Record, Revision, SavedAt};

const BEFORE_CHECKSUM: &str = ",\"checksum\":\"";
const BEHIND_CHECKSUM: &str = "\"}\n";

/// What stands in the first line.
#[derive(Serialize, Deserialize)]
struct Line {
    spooled_at: SavedAt,
    /// The record that the save replaces; `null` if there is to be none.
    expected: Option<Revision>,
    ttl_ms: Option<u64>,
    action: Action,
    /// How long the record is, where something follows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record_bytes: Option<usize>,
}

/// A save that is read back.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) spooled_at: SavedAt,
    pub(crate) write: Write,
}

/// A save as the text of a file.
pub(super) fn encode(write: &Write) -> Result<Vec<u8>, Error> {
    encode_spooled(write, SavedAt::now())
}

/// The same of one that was spooled before.
pub(super) fn encode_again(entry: &Entry) -> Result<Vec<u8>, Error> {
    encode_spooled(&entry.write, entry.spooled_at.clone())
}

fn encode_spooled(write: &Write, spooled_at: SavedAt) -> Result<Vec<u8>, Error> {
    let document = write.record.to_json()?;
    let line = Line {
        spooled_at,
        expected: write.expected,
        ttl_ms: write.ttl.map(millis),
        action: write.action,
        record_bytes: (!write.blobs.is_empty()).then_some(document.len()),
    };
    let failed =
        |error| Error::backend(Some(&write.record.key), "the spool", "write the line about", error);
    let mut line = serde_json::to_vec(&line).map_err(failed)?;
    // The brace comes behind the checksum.
    line.pop();
    let mut document = Vec::from(document);
    for blob in &write.blobs {
        serde_json::to_writer(&mut document, blob).map_err(failed)?;
        document.push(b'\n');
    }
    let checksum = checksum(&line, &document);
    line.reserve(document.len() + 64);
    line.extend_from_slice(format!("{BEFORE_CHECKSUM}{checksum}{BEHIND_CHECKSUM}").as_bytes());
    line.extend_from_slice(&document);
    Ok(line)
}

/// Reads the text of a file that was found among those of this key. What is damaged is told
/// without any of the contents.
pub(super) fn decode(key: &StateKey, text: &Bytes) -> Result<Entry, String> {
    let damaged = || "it was cut off or changed".to_owned();
    let end = text.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
    let line = text.get(..=end).and_then(|line| std::str::from_utf8(line).ok());
    let (head, said) =
        line.and_then(|line| line.rsplit_once(BEFORE_CHECKSUM)).ok_or_else(damaged)?;
    let document = text.slice(end + 1..);
    let made = checksum(head.as_bytes(), &document).to_string();
    if said.strip_suffix(BEHIND_CHECKSUM) != Some(&*made) {
        return Err(damaged());
    }
    let line: Line = serde_json::from_str(&format!("{head}}}"))
        .map_err(|_| "it is of another version of cogency-state".to_owned())?;
    let end = line.record_bytes.unwrap_or(document.len());
    if end > document.len() {
        return Err(damaged());
    }
    let (document, blobs) = (document.slice(..end), document.slice(end..));
    let record =
        Record::from_json(key, "the spool", &document).map_err(|error| error.to_string())?;
    let blobs = serde_json::Deserializer::from_slice(&blobs).into_iter();
    let blobs = blobs.collect::<Result<Vec<Blob>, _>>().map_err(|_| damaged())?;
    let ttl = line.ttl_ms.map(Duration::from_millis);
    let write =
        Write::new(record, line.expected).with_ttl(ttl).with_action(line.action).with_blobs(blobs);
    Ok(Entry { spooled_at: line.spooled_at, write })
}

/// Whose save a file says that it is, also where the rest of it is damaged.
pub(super) fn key_in(text: &[u8]) -> Option<StateKey> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    envelope::peek_key(text.get(end + 1..)?)
}

fn millis(ttl: Duration) -> u64 {
    let rounded_up = ttl.saturating_add(Duration::from_nanos(999_999));
    u64::try_from(rounded_up.as_millis()).unwrap_or(u64::MAX)
}

fn checksum(line: &[u8], document: &[u8]) -> Checksum {
    Checksum::of(&[line, document].concat())
}

/// With the checksums of what stands in it, where it has the form of an entry.
#[cfg(any(test, fuzzing))]
pub(super) fn sealed(text: &[u8]) -> Vec<u8> {
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    let (line, document) = text.split_at(end);
    let document = envelope::fuzz::sealed(document.get(1..).unwrap_or_default());
    let before = BEFORE_CHECKSUM.as_bytes();
    let head = line.windows(before.len()).rposition(|part| part == before).unwrap_or(end);
    let head = line.get(..head).unwrap_or_default();
    let checksum = checksum(head, &document);
    let checksum = format!("{BEFORE_CHECKSUM}{checksum}{BEHIND_CHECKSUM}");
    [head, checksum.as_bytes(), &document].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Metadata;

    fn write() -> Write {
        let key = StateKey::new("alice", "trip").unwrap();
        let before = Revision::after(None);
        let state = Bytes::from_static(b"{\"turns\":[\"\\u0000\"]}");
        let revision = Revision::after(Some(before));
        let record = Record::new(key, revision, None, Metadata::now(), state);
        Write::new(record, Some(before)).with_ttl(Some(Duration::from_millis(1500)))
    }

    #[test]
    fn what_is_written_is_read() {
        let write = write();
        let text = Bytes::from(encode(&write).unwrap());
        let read = decode(&write.record.key, &text).unwrap().write;
        assert_eq!(read.record, write.record);
        assert_eq!(
            (read.expected, read.ttl, read.action),
            (write.expected, write.ttl, write.action)
        );
        let values = serde_json::Deserializer::from_slice(&text).into_iter::<serde_json::Value>();
        assert_eq!(values.map(Result::unwrap).count(), 2);
    }

    /// Frozen: what an earlier version spooled is replayed by a later one. (With
    /// `COGENCY_WRITE_FIXTURES=1` it is written.)
    #[test]
    fn an_entry_is_written_and_read_as_it_always_was() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/format/spooled.json");
        let write_id = |text: &str| text.parse().unwrap();
        let before =
            Revision { version: 1, write_id: write_id("2f1c9a4e-5b7d-4c1e-9f00-0123456789ab") };
        let revision =
            Revision { version: 2, write_id: write_id("2f1c9a4e-5b7d-4c1e-9f00-0123456789ac") };
        let (key, state) = (StateKey::new("alice", "trip").unwrap(), "{\"turns\":[\"日本\"]}");
        let record = Record::new(key.clone(), revision, None, Metadata::default(), state.into());
        let write = Write::new(record, Some(before)).with_ttl(Some(Duration::from_millis(1500)));
        let written = encode(&write).unwrap();
        if std::env::var_os("COGENCY_WRITE_FIXTURES").is_some() {
            std::fs::write(path, &written).unwrap();
        }
        let frozen = Bytes::from(std::fs::read(path).unwrap());
        let read = decode(&key, &frozen).unwrap().write;
        assert_eq!((&read.record, read.expected), (&write.record, write.expected));
        assert_eq!((read.ttl, read.action), (write.ttl, write.action));
        assert_eq!(timeless(&written), timeless(&frozen));
    }

    /// But for when it was spooled, and what follows from that.
    fn timeless(entry: &[u8]) -> (String, String) {
        let (line, document) = std::str::from_utf8(entry).unwrap().split_once('\n').unwrap();
        let line = line.split_once("\"expected\"").unwrap().1;
        (line.split_once(BEFORE_CHECKSUM).unwrap().0.to_owned(), document.to_owned())
    }

    #[test]
    fn blobs_come_along_and_what_is_there_is_still_json() {
        let blobs = vec![Blob::new("a\n").with_media_type("text/plain"), Blob::new("")];
        let write = write().with_blobs(blobs.clone());
        let text = Bytes::from(encode(&write).unwrap());
        let read = decode(&write.record.key, &text).unwrap().write;
        assert_eq!((read.record, &read.blobs), (write.record, &blobs));
        assert!(read.blobs.iter().zip(&blobs).all(|(read, blob)| read.here() == blob.here()));
        let values = serde_json::Deserializer::from_slice(&text).into_iter::<serde_json::Value>();
        assert_eq!(values.map(Result::unwrap).count(), 4);
    }

    #[test]
    fn any_bit_that_is_flipped_and_any_end_that_is_missing_is_seen() {
        let write = write();
        let text = encode(&write).unwrap();
        let is_damaged = |text: Vec<u8>| decode(&write.record.key, &text.into()).is_err();
        for bit in 0..text.len() * 8 {
            let mut text = text.clone();
            text[bit / 8] ^= 1 << (bit % 8);
            assert!(is_damaged(text), "bit {bit}");
        }
        for length in 0..text.len() {
            assert!(is_damaged(text[..length].to_vec()), "{length} bytes");
        }
    }

    #[test]
    fn the_entry_of_another_key_is_not_taken_for_this_ones() {
        let text = Bytes::from(encode(&write()).unwrap());
        assert!(decode(&StateKey::for_user("bob").unwrap(), &text).is_err());
    }
}
