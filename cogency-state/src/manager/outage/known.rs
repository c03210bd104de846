//! The records that this process saved or spooled last: what a call goes on with when the backend
//! cannot tell what is stored.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::time::Instant;

use crate::key::StateKey;
use crate::record::{Record, Revision};

/// At most this many, so that many small ones take no more memory than a few large ones.
const MAX_RECORDS: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

pub(crate) struct Known {
    inner: Mutex<Inner>,
    max_bytes: usize,
}

struct Inner {
    records: LruCache<StateKey, Entry>,
    /// The sum of all states.
    bytes: usize,
}

struct Entry {
    record: Record,
    /// From when on it is as if it had never been; `None` if that never comes.
    expires_at: Option<Instant>,
}

impl Known {
    pub(crate) fn new(max_bytes: usize) -> Self {
        let inner = Inner { records: LruCache::new(MAX_RECORDS), bytes: 0 };
        Self { inner: Mutex::new(inner), max_bytes }
    }

    pub(crate) fn get(&self, key: &StateKey) -> Option<Record> {
        let mut inner = self.lock();
        let entry = inner.records.get(key)?;
        let is_over = entry.expires_at.is_some_and(|expires_at| expires_at <= Instant::now());
        (!is_over).then(|| entry.record.clone())
    }

    pub(crate) fn put(&self, record: &Record, ttl: Option<Duration>) {
        let bytes = record.state.len();
        let mut inner = self.lock();
        inner.remove(&record.key);
        if bytes > self.max_bytes {
            return;
        }
        while inner.bytes + bytes > self.max_bytes {
            let Some((_, oldest)) = inner.records.pop_lru() else { break };
            inner.bytes -= oldest.record.state.len();
        }
        inner.bytes += bytes;
        let expires_at = ttl.and_then(|ttl| Instant::now().checked_add(ttl));
        let entry = Entry { record: record.clone(), expires_at };
        if let Some((_, oldest)) = inner.records.push(record.key.clone(), entry) {
            inner.bytes -= oldest.record.state.len();
        }
    }

    /// Forgets what is not what was found.
    pub(crate) fn found(&self, key: &StateKey, found: Option<Revision>) {
        let mut inner = self.lock();
        let known = inner.records.peek(key).map(|entry| entry.record.revision);
        if known.is_some() && known != found {
            inner.remove(key);
        }
    }

    /// No code that can panic runs under the lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn remove(&mut self, key: &StateKey) {
        if let Some(entry) = self.records.pop(key) {
            self.bytes -= entry.record.state.len();
        }
    }
}

/// States are private.
impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Metadata;

    fn record(user: &str, state: &'static [u8]) -> Record {
        let key = StateKey::for_user(user).unwrap();
        Record::new(key, Revision::after(None), None, Metadata::default(), state.into())
    }

    #[tokio::test]
    async fn only_so_many_bytes_are_kept_and_the_oldest_go_first() {
        let known = Known::new(8);
        let records = [record("a", b"1234"), record("b", b"1234"), record("c", b"12345")];
        for record in &records {
            known.put(record, None);
        }
        let there = records.each_ref().map(|record| known.get(&record.key).is_some());
        assert_eq!(there, [false, false, true]);
        known.put(&record("d", b"123456789"), None);
        assert!(known.get(&record("d", b"").key).is_none());
        assert_eq!(known.lock().bytes, 5);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_expired_or_was_replaced_by_others_is_not_known() {
        let known = Known::new(100);
        let record = record("a", b"1");
        known.put(&record, Some(Duration::from_secs(1)));
        assert_eq!(known.get(&record.key).as_ref(), Some(&record));
        known.found(&record.key, Some(record.revision));
        assert!(known.get(&record.key).is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(known.get(&record.key).is_none());
        known.put(&record, None);
        known.found(&record.key, None);
        assert!(known.get(&record.key).is_none());
    }
}
