//! The connections to one server.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use redis::aio::MultiplexedConnection;
use tokio::runtime::{self, Handle};

use crate::backend::redis::RedisDurability;
use crate::backend::redis::problem::Problem;
use crate::backend::redis::request::Traffic;

/// How many connections to a server are kept. One more, and the oldest is made anew when it is
/// needed.
const MAX_LANES: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// A connection belongs to the runtime that made it. What holds up others has one of its own: a
/// lease would run out while its renewal waits behind it.
pub(super) struct Lanes(Mutex<LruCache<(runtime::Id, Traffic), Arc<Lane>>>);

/// A connection, and who makes it.
#[derive(Default)]
pub(super) struct Lane {
    connected: Mutex<Option<Connected>>,
    /// Whoever has it connects; the others wait for the result.
    pub(super) connecting: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
pub(super) struct Connected {
    pub(super) connection: MultiplexedConnection,
    pub(super) durability: Option<RedisDurability>,
    number: u64,
}

impl Connected {
    pub(super) fn new(
        connection: MultiplexedConnection,
        durability: Option<RedisDurability>,
    ) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        Self { connection, durability, number: NUMBER.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Lanes {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(MAX_LANES)))
    }

    pub(super) fn get(&self, traffic: Traffic) -> Result<Arc<Lane>, Problem> {
        let runtime = Handle::try_current().map_err(|_| Problem::NoRuntime)?.id();
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(lanes.get_or_insert((runtime, traffic), Arc::default)))
    }
}

impl Lane {
    pub(super) fn current(&self) -> Option<Connected> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, connected: Option<Connected>) {
        *self.connected.lock().unwrap_or_else(PoisonError::into_inner) = connected;
    }

    /// Connects anew for the next request, unless somebody has done so.
    pub(super) fn forget(&self, lost: &Connected) {
        if self.current().is_some_and(|current| current.number == lost.number) {
            self.set(None);
        }
    }
}
