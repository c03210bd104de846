//! Records that this process has, so that the server need not send large ones again, and small
//! ones need not be read again.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use lru::LruCache;

use super::records::INLINE_BYTES;
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

/// A record, and what tells the server that it is this one.
#[derive(Clone)]
pub(super) struct KnownRecord {
    pub(super) record: Record,
    /// How its value begins, as no other record's does.
    pub(super) beginning: Bytes,
    /// The length of its value.
    pub(super) length: usize,
}

impl KnownRecord {
    /// Whether it is not sent again.
    pub(super) fn is_large(&self) -> bool {
        self.length > INLINE_BYTES
    }

    /// Whether it is the record whose value begins so: of a small one that is all, of a large one
    /// as much as tells it from others, and its length.
    pub(super) fn is(&self, beginning: &[u8], length: Option<i64>) -> bool {
        let length = match length {
            Some(length) if self.is_large() => usize::try_from(length).ok(),
            _ => Some(beginning.len()),
        };
        length == Some(self.length) && beginning.starts_with(&self.beginning)
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
