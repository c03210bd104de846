//! The connections to one server.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use redis::aio::MultiplexedConnection;

use super::per_runtime::PerRuntime;
use crate::backend::redis::RedisDurability;
use crate::backend::redis::request::Traffic;

/// A connection belongs to the runtime that made it. What holds up others has one of its own: a
/// lease would run out while its renewal waits behind it.
pub(super) type Lanes = PerRuntime<Traffic, Lane>;

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
