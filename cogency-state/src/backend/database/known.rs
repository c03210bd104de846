//! Records that this process has, so that the server need not send large states again.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::key::StateKey;
use crate::record::Record;

/// At most this many, each of which takes some memory besides its bytes.
const MAX_RECORDS: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
/// A smaller state that stands in its row is sent in any case: so a change of it by other hands is
/// seen whatever they changed.
const MIN_BYTES: usize = 64 << 10;

/// The records that were loaded or saved last.
pub(super) struct Known {
    inner: Mutex<Inner>,
    max_bytes: usize,
}

struct Inner {
    records: LruCache<StateKey, KnownRecord>,
    bytes: usize,
    /// Those whose state was smaller when it was seen last.
    small: LruCache<StateKey, ()>,
}

/// A record, and whether its state is apart.
#[derive(Clone)]
pub(super) struct KnownRecord {
    pub(super) record: Record,
    pub(super) is_apart: bool,
}

impl KnownRecord {
    /// Whether a record, of which all but the state was sent, is this one.
    pub(super) fn is(&self, bare: &Record, is_apart: bool) -> bool {
        self.record.revision.write_id == bare.revision.write_id && self.is_apart == is_apart
    }

    fn bytes(&self) -> usize {
        self.record.state.len()
    }
}

impl Known {
    pub(super) fn new(max_bytes: usize) -> Self {
        let (records, small) = (LruCache::new(MAX_RECORDS), LruCache::new(MAX_RECORDS));
        let inner = Inner { records, bytes: 0, small };
        Self { inner: Mutex::new(inner), max_bytes }
    }

    pub(super) fn get(&self, key: &StateKey) -> Option<KnownRecord> {
        self.lock().records.get(key).cloned()
    }

    pub(super) fn put(&self, known: KnownRecord) {
        let key = known.record.key.clone();
        let mut inner = self.lock();
        inner.remove(&key);
        if !known.is_apart && known.bytes() < MIN_BYTES {
            inner.small.put(key, ());
            return;
        }
        inner.small.pop(&key);
        if known.bytes() > self.max_bytes {
            return;
        }
        inner.bytes += known.bytes();
        if let Some((_, oldest)) = inner.records.push(key, known) {
            inner.bytes -= oldest.bytes();
        }
        while inner.bytes > self.max_bytes {
            let Some((_, oldest)) = inner.records.pop_lru() else { break };
            inner.bytes -= oldest.bytes();
        }
    }

    /// Whether the state was small, and stood in its row, when it was seen last.
    pub(super) fn is_small(&self, key: &StateKey) -> bool {
        self.lock().small.get(key).is_some()
    }

    pub(super) fn remove(&self, key: &StateKey) {
        self.lock().remove(key);
    }

    /// No code that can panic runs under the lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn remove(&mut self, key: &StateKey) {
        if let Some(removed) = self.records.pop(key) {
            self.bytes -= removed.bytes();
        }
    }
}

/// States are private.
impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Metadata, Revision};

    fn record(bytes: usize) -> KnownRecord {
        let (key, revision) = (StateKey::for_user("alice").unwrap(), Revision::after(None));
        let state = format!("\"{}\"", "x".repeat(bytes)).into();
        let record = Record::new(key, revision, None, Metadata::now(), state);
        KnownRecord { record, is_apart: false }
    }

    #[test]
    fn a_state_that_has_grown_is_not_small_any_more_whether_it_is_kept_or_not() {
        for max_bytes in [0, 1 << 20] {
            let known = Known::new(max_bytes);
            let key = record(0).record.key;
            known.put(record(10));
            assert!(known.is_small(&key) && known.get(&key).is_none());
            known.put(record(MIN_BYTES));
            assert!(!known.is_small(&key));
            assert_eq!(known.get(&key).is_some(), max_bytes > 0);
            known.put(record(10));
            assert!(known.is_small(&key) && known.get(&key).is_none());
            assert_eq!(known.lock().bytes, 0);
        }
    }
}
