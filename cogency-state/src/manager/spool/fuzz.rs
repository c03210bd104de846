//! Entries of whatever bytes.

// Its panics are what a fuzzer looks for.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;

use super::entry::{decode, encode, key_in, sealed};
use crate::key::StateKey;

/// The file of an entry, as it is and with the checksums that it should have.
///
/// # Panics
/// If a save that can be read is another one when it was written.
pub fn spool_entry(data: &[u8]) {
    for text in [data.to_vec(), sealed(data)] {
        let text = Bytes::from(text);
        let key = key_in(&text).unwrap_or_else(|| StateKey::for_user("alice").unwrap());
        let Ok(entry) = decode(&key, &text) else { continue };
        let mut write = entry.write;
        let again = decode(&key, &encode(&write).unwrap().into()).unwrap().write;
        write.record.checksum = again.record.checksum;
        assert!(again.record == write.record && again.expected == write.expected);
        assert!(again.ttl == write.ttl && again.action == write.action);
    }
}
