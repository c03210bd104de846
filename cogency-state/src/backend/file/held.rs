//! A lease on files: the lock of a key, and what was seen under it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::journal::Standing;
use super::root::Root;
use crate::disk::lock::Lock;
use crate::key::StateKey;

/// The lock of one key, while it is leased.
#[derive(Debug)]
pub(super) struct Held {
    root: Arc<Root>,
    key: StateKey,
    /// What had not expired when the lock was taken is there for as long as it is held.
    since: SystemTime,
    inner: Mutex<HeldInner>,
}

#[derive(Debug)]
pub(super) struct HeldInner {
    /// `None` once it was given back.
    pub(super) lock: Option<Lock>,
    /// What was last read under this lock, so that a save need not read it again.
    pub(super) seen: Option<Standing>,
}

impl Held {
    pub(super) fn new(root: &Arc<Root>, key: &StateKey, lock: Lock) -> Self {
        let inner = Mutex::new(HeldInner { lock: Some(lock), seen: None });
        Self { root: Arc::clone(root), key: key.clone(), since: SystemTime::now(), inner }
    }

    pub(super) fn key(&self) -> &StateKey {
        &self.key
    }

    pub(super) fn since(&self) -> SystemTime {
        self.since
    }

    /// Waits for a save that is under way: it runs to its end although its caller may be gone.
    pub(super) fn inner(&self) -> MutexGuard<'_, HeldInner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn token(&self) -> u64 {
        self.inner().lock.as_ref().map_or(0, |lock| lock.token)
    }

    /// Once it is back the key is free, also if another release was under way.
    pub(super) fn release(&self) {
        let mut inner = self.inner();
        let Some(lock) = inner.lock.take() else { return };
        if let Err(error) = self.root.clean_up(&self.key, &lock) {
            tracing::debug!(key = %self.key, %error, "an empty folder was left behind");
        }
        drop(lock);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release();
    }
}
