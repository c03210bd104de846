//! The right to be the one that changes a key.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::holder::Holder;
use crate::key::StateKey;

/// The right to be the one that changes a key, until it is released or taken over.
///
/// A copy stands for the same lease.
#[derive(Clone)]
pub struct Lease {
    key: StateKey,
    token: u64,
    guard: Option<Arc<dyn Any + Send + Sync>>,
}

impl Lease {
    /// A lease with its fencing token, which is greater than that of any earlier lease on the key.
    #[must_use]
    pub fn new(key: StateKey, token: u64) -> Self {
        Self { key, token, guard: None }
    }

    /// Attaches what the backend needs at hand while the lease is held, such as an open lock
    /// file. It is dropped with the last copy of the lease.
    #[must_use]
    pub fn with_guard(mut self, guard: Arc<dyn Any + Send + Sync>) -> Self {
        self.guard = Some(guard);
        self
    }

    /// The key that it is on.
    #[must_use]
    pub fn key(&self) -> &StateKey {
        &self.key
    }

    /// The fencing token: a backend refuses a save whose token is not the newest of its key.
    #[must_use]
    pub fn token(&self) -> u64 {
        self.token
    }

    /// What [`with_guard`](Self::with_guard) attached, if it is a `G`.
    #[must_use]
    pub fn guard<G: Any + Send + Sync>(&self) -> Option<Arc<G>> {
        Arc::downcast(Arc::clone(self.guard.as_ref()?)).ok()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("key", &self.key)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// How one try to take a lease ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum LeaseAttempt {
    /// It is the caller's.
    Acquired(Lease),
    /// Somebody else has it.
    Held(Holder),
}
