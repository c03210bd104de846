//! Records that this process has, so that the server need not send large ones again, and small
//! ones need not be read again.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use lru::LruCache;

use super::request::INLINE_BYTES;
use crate::key::StateKey;
use crate::record::Record;

/// At most this many, each of which takes some memory besides its bytes.
const MAX_RECORDS: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// The records that were loaded or saved last.
pub(super) struct Known {
    inner: Mutex<Inner>,
    max_bytes: usize,
}

struct Inner {
    records: LruCache<StateKey, KnownRecord>,
    bytes: usize,
}

/// A record, and what tells that a value is its.
#[derive(Clone)]
pub(super) struct KnownRecord {
    pub(super) record: Record,
    /// How its value begins, as no other record's does.
    pub(super) beginning: Bytes,
    /// The length of its value.
    length: usize,
    /// The value of a small one: it is sent again, so that all of it can be compared.
    value: Option<Bytes>,
}

impl KnownRecord {
    pub(super) fn new(record: Record, beginning: Bytes, value: &Bytes) -> Self {
        let is_small = value.len() <= INLINE_BYTES;
        Self { record, beginning, length: value.len(), value: is_small.then(|| value.clone()) }
    }

    /// Whether it is not sent again.
    pub(super) fn is_large(&self) -> bool {
        self.value.is_none()
    }

    /// Whether it is the record of a value, of which so much was sent: all of a small one; of a
    /// large one how it begins, and its length.
    pub(super) fn is(&self, sent: &[u8], length: Option<i64>) -> bool {
        if let Some(value) = &self.value {
            return value == sent;
        }
        let length = length.and_then(|length| usize::try_from(length).ok());
        length == Some(self.length) && self.beginning == sent
    }
}

impl Known {
    pub(super) fn new(max_bytes: usize) -> Self {
        let inner = Inner { records: LruCache::new(MAX_RECORDS), bytes: 0 };
        Self { inner: Mutex::new(inner), max_bytes }
    }

    pub(super) fn get(&self, key: &StateKey) -> Option<KnownRecord> {
        self.lock().records.get(key).cloned()
    }

    pub(super) fn put(&self, known: KnownRecord) {
        if known.length > self.max_bytes {
            return self.remove(&known.record.key);
        }
        let mut inner = self.lock();
        inner.bytes += known.length;
        if let Some((_, replaced)) = inner.records.push(known.record.key.clone(), known) {
            inner.bytes -= replaced.length;
        }
        while inner.bytes > self.max_bytes {
            let Some((_, oldest)) = inner.records.pop_lru() else { break };
            inner.bytes -= oldest.length;
        }
    }

    pub(super) fn remove(&self, key: &StateKey) {
        let mut inner = self.lock();
        if let Some(removed) = inner.records.pop(key) {
            inner.bytes -= removed.length;
        }
    }

    /// No code that can panic runs under the lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// States are private.
impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}
