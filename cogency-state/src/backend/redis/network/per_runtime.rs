//! What each runtime has one of.

use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use tokio::runtime::{self, Handle};

use crate::backend::redis::problem::Problem;

/// How many are kept. One more, and the oldest is made anew when it is needed.
const MAX: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// One for each runtime and whatever else there is one for. Whoever belongs to a runtime stands
/// still when nobody runs that.
pub(super) struct PerRuntime<K: Hash + Eq, T>(Mutex<LruCache<(runtime::Id, K), Arc<T>>>);

impl<K: Hash + Eq, T: Default> PerRuntime<K, T> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(MAX)))
    }

    pub(super) fn get(&self, which: K) -> Result<Arc<T>, Problem> {
        let runtime = Handle::try_current().map_err(|_| Problem::NoRuntime)?.id();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(all.get_or_insert((runtime, which), Arc::default)))
    }
}
