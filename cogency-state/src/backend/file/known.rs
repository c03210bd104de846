//! What this process served last, so that a journal that has not changed is not read again.

use std::collections::HashSet;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use super::fingerprint::Fingerprint;
use super::journal::Standing;
use crate::key::StateKey;

/// At most this many, each of which takes some memory besides its state.
const MAX_KEYS: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
const MAX_BYTES: usize = 32 << 20;

/// Where journals stood when they were last looked at.
pub(super) struct Known(Mutex<Inner>);

struct Inner {
    standings: LruCache<StateKey, Standing>,
    bytes: usize,
    /// Whose last sync failed.
    doubted: HashSet<StateKey>,
}

impl Default for Known {
    fn default() -> Self {
        Self(Mutex::new(Inner {
            standings: LruCache::new(MAX_KEYS),
            bytes: 0,
            doubted: HashSet::new(),
        }))
    }
}

impl Known {
    /// What is known of a journal that has this fingerprint.
    pub(super) fn get(&self, key: &StateKey, now: Fingerprint) -> Option<Standing> {
        let mut inner = self.lock();
        inner.standings.get(key).filter(|known| known.fingerprint == now).cloned()
    }

    /// Whether the name of this very file is known to survive a power cut.
    pub(super) fn is_named(&self, key: &StateKey, now: Fingerprint) -> bool {
        let inner = self.lock();
        let known = inner.standings.peek(key);
        known.is_some_and(|known| known.is_named && known.fingerprint.is_same_file(&now))
    }

    pub(super) fn put(&self, key: &StateKey, standing: &Standing) {
        let bytes = size(standing);
        if bytes > MAX_BYTES {
            return self.remove(key);
        }
        let mut inner = self.lock();
        inner.bytes += bytes;
        if let Some((_, replaced)) = inner.standings.push(key.clone(), standing.clone()) {
            inner.bytes -= size(&replaced);
        }
        while inner.bytes > MAX_BYTES {
            let Some((_, oldest)) = inner.standings.pop_lru() else { break };
            inner.bytes -= size(&oldest);
        }
    }

    pub(super) fn remove(&self, key: &StateKey) {
        let mut inner = self.lock();
        if let Some(removed) = inner.standings.pop(key) {
            inner.bytes -= size(&removed);
        }
    }

    /// A journal could not be synced: what is in memory of it need not be on the disk.
    pub(super) fn doubt(&self, key: &StateKey) {
        self.remove(key);
        self.lock().doubted.insert(key.clone());
    }

    pub(super) fn is_doubted(&self, key: &StateKey) -> bool {
        self.lock().doubted.contains(key)
    }

    /// It was written anew.
    pub(super) fn trust(&self, key: &StateKey) {
        self.lock().doubted.remove(key);
    }

    /// No code that can panic runs under the lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(standing: &Standing) -> usize {
    standing.record.as_ref().map_or(0, |record| record.state.len())
}

/// States are private.
impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").finish_non_exhaustive()
    }
}
