//! Documents of whatever bytes.

// Its panics are what a fuzzer looks for.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;

use super::{BEFORE_CHECKSUM, END, Parts, begins_as_ours, decode, is_ours, peek_key};
use crate::expires_at::ExpiresAt;
use crate::key::StateKey;
use crate::record::Checksum;

/// A document, as it is and with the checksums that it should have.
///
/// # Panics
/// If a record that can be read is another one when it was written.
pub fn envelope(data: &[u8]) {
    for document in [data.to_vec(), sealed(data)] {
        let document = Bytes::from(document);
        let key = peek_key(&document).unwrap_or_else(|| StateKey::for_user("alice").unwrap());
        let _ = (is_ours(&document), begins_as_ours(&document), ExpiresAt::at_a_glance(&document));
        let Ok(decoded) = decode(&key, &document) else { continue };
        let mut record = decoded.record;
        let again = decode(&key, &record.to_json().unwrap()).unwrap().record;
        record.checksum = again.checksum;
        assert!(again == record);
    }
}

/// With the checksums of what stands in it, where it has the form of ours.
pub(crate) fn sealed(document: &[u8]) -> Vec<u8> {
    let Some(parts) = Parts::find(document) else { return document.to_vec() };
    let (head, from) = (document.get(..parts.head), parts.head + BEFORE_CHECKSUM.len());
    let end = document.len().saturating_sub(END.len());
    let (Some(head), Some(state)) = (head, document.get(parts.state..end)) else {
        return document.to_vec();
    };
    let checksums = format!("{} {}", Checksum::of(state), Checksum::of(head));
    let mut sealed = document.to_vec();
    sealed.splice(from..from + checksums.len(), checksums.into_bytes());
    sealed
}
