//! States that this process saved last, ready for the next call.
//!
//! To prove that a saved state can be read again it is read again; what that gave is what the
//! next call would load, as long as nobody else saves in between. It is kept here, so that the
//! proof costs nothing: a warm call reads once, at its end, where a cold one reads at its start.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;

use crate::codec::AnyState;
use crate::key::StateKey;
use crate::record::{Checksum, Record, Revision};

/// At most this many states, so that many small ones take no more memory than a few large ones.
const MAX_STATES: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

pub(crate) struct WarmStates {
    inner: Mutex<Inner>,
    max_bytes: usize,
}

struct Inner {
    states: LruCache<StateKey, Warm>,
    /// The sum of all states as JSON.
    bytes: usize,
}

/// A state, and what identifies the record that it was read from.
pub(crate) struct Warm {
    pub(crate) revision: Revision,
    pub(crate) checksum: Checksum,
    /// The length of its JSON.
    pub(crate) bytes: usize,
    pub(crate) state: Box<dyn AnyState>,
}

impl WarmStates {
    /// For states that as JSON take at most so many bytes together; 0 keeps none.
    pub(crate) fn new(max_bytes: usize) -> Self {
        let inner = Inner { states: LruCache::new(MAX_STATES), bytes: 0 };
        Self { inner: Mutex::new(inner), max_bytes }
    }

    /// Takes out the state that reading this record would give.
    pub(crate) fn take(&self, record: &Record) -> Option<Box<dyn AnyState>> {
        let warm = self.with(|inner| inner.remove(&record.key))?;
        let is_same = warm.revision == record.revision && Some(warm.checksum) == record.checksum;
        is_same.then_some(warm.state)
    }

    /// Puts in what reading a saved record gave.
    pub(crate) fn put(&self, key: StateKey, warm: Warm) {
        let bytes = warm.bytes;
        if bytes > self.max_bytes {
            return;
        }
        let evicted = self.with(|inner| {
            let mut evicted = Vec::new();
            evicted.extend(inner.remove(&key));
            while inner.bytes + bytes > self.max_bytes {
                let Some((_, oldest)) = inner.states.pop_lru() else { break };
                inner.bytes -= oldest.bytes;
                evicted.push(oldest);
            }
            inner.bytes += bytes;
            if let Some((_, oldest)) = inner.states.push(key, warm) {
                inner.bytes -= oldest.bytes;
                evicted.push(oldest);
            }
            evicted
        });
        // Their destructors are the user's code and run outside the lock.
        drop(evicted);
    }

    fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn remove(&mut self, key: &StateKey) -> Option<Warm> {
        let warm = self.states.pop(key)?;
        self.bytes -= warm.bytes;
        Some(warm)
    }
}

/// States are private.
impl fmt::Debug for WarmStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WarmStates").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}
