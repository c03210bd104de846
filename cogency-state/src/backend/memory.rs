//! Records in the memory of the process: for tests, and for states that need not outlive it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::{Capabilities, Lease, LeaseAttempt, Opened, StateBackend, Write};
use crate::error::Error;
use crate::holder::Holder;
use crate::key::{StateKey, valid_id};
use crate::record::{Record, version_of};

/// Keeps records in memory. A clone keeps the same records.
///
/// ```
/// use cogency_state::{MemoryBackend, StateManager};
///
/// let manager = StateManager::new(MemoryBackend::new());
/// ```
#[derive(Clone, Debug)]
pub struct MemoryBackend {
    shared: Arc<Shared>,
    lease_ttl: Option<Duration>,
}

#[derive(Debug)]
struct Shared {
    location: String,
    /// The fencing token of the newest lease on any key.
    last_token: AtomicU64,
    keys: Mutex<BTreeMap<StateKey, Slot>>,
}

/// One key. It is there for as long as it has a record or is held.
#[derive(Debug, Default)]
struct Slot {
    record: Option<Record>,
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    token: u64,
    holder: Holder,
    until: Option<Instant>,
}

/// Frees the lease when its last copy is dropped, as the operating system would free a lock.
#[derive(Debug)]
struct ReleaseOnDrop {
    shared: Arc<Shared>,
    key: StateKey,
    token: u64,
}

impl Drop for ReleaseOnDrop {
    fn drop(&mut self) {
        self.shared.release(&self.key, self.token);
    }
}

impl MemoryBackend {
    /// An empty one. A lease lasts as long as its holder.
    #[must_use]
    pub fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let location = format!("memory:{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let (last_token, keys) = (AtomicU64::new(0), Mutex::default());
        Self { shared: Arc::new(Shared { location, last_token, keys }), lease_ttl: None }
    }

    /// With leases that run out unless they are renewed, as those of a server do: for tests of
    /// what a program does when it loses one.
    #[must_use]
    pub fn with_lease_ttl(mut self, ttl: Duration) -> Self {
        self.lease_ttl = Some(ttl);
        self
    }

    fn until(&self) -> Option<Instant> {
        self.lease_ttl.map(|ttl| Instant::now() + ttl)
    }

    fn acquire(&self, key: &StateKey, holder: &Holder) -> Opened {
        let mut keys = self.shared.lock();
        let slot = keys.entry(key.clone()).or_default();
        if let Some(held) = slot.held.as_ref().filter(|held| held.is_running()) {
            return Opened::Held(held.holder.clone());
        }
        let token = 1 + self.shared.last_token.fetch_add(1, Ordering::Relaxed);
        slot.held = Some(Held { token, holder: holder.clone(), until: self.until() });
        let guard = ReleaseOnDrop { shared: Arc::clone(&self.shared), key: key.clone(), token };
        let lease = Lease::new(key.clone(), token).with_guard(Arc::new(guard));
        Opened::Acquired { lease, record: slot.record.clone() }
    }
}

impl Default for MemoryBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl Slot {
    fn is_held_under(&self, token: u64) -> bool {
        self.held.as_ref().is_some_and(|held| held.token == token)
    }
}

impl Held {
    fn is_running(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

impl Shared {
    /// No code that can panic runs under the lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<StateKey, Slot>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release(&self, key: &StateKey, token: u64) {
        let mut keys = self.lock();
        let Some(slot) = keys.get_mut(key).filter(|slot| slot.is_held_under(token)) else { return };
        slot.held = None;
        if slot.record.is_none() {
            keys.remove(key);
        }
    }

    /// Does something to the slot that a lease is on, unless a newer lease was given out.
    ///
    /// A lease that ran out counts as long as its token is the newest; one that was released
    /// does not.
    fn fenced<R>(
        &self,
        lease: &Lease,
        act: impl FnOnce(&mut Slot) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut keys = self.lock();
        match keys.get_mut(lease.key()) {
            Some(slot) if slot.is_held_under(lease.token()) => act(slot),
            _ => Err(Error::lease_lost(lease.key(), &self.location, lease.token())),
        }
    }

    fn save(&self, lease: &Lease, write: &Write, release: bool) -> Result<(), Error> {
        self.fenced(lease, |slot| {
            let found = slot.record.as_ref().map(|record| record.revision);
            if !write.may_replace(found) {
                let (expected, found) = (version_of(write.expected), version_of(found));
                return Err(Error::conflict(lease.key(), &self.location, expected, found));
            }
            slot.record = Some(write.record.clone());
            if release {
                slot.held = None;
            }
            Ok(())
        })
    }
}

#[async_trait]
impl StateBackend for MemoryBackend {
    fn location(&self) -> &str {
        &self.shared.location
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none().with_lease_ttl(self.lease_ttl).with_saves_that_survive_drop()
    }

    async fn acquire_lease(&self, key: &StateKey, holder: &Holder) -> Result<LeaseAttempt, Error> {
        Ok(match self.acquire(key, holder) {
            Opened::Acquired { lease, .. } => LeaseAttempt::Acquired(lease),
            Opened::Held(holder) => LeaseAttempt::Held(holder),
        })
    }

    async fn renew_lease(&self, lease: &Lease) -> Result<(), Error> {
        let until = self.until();
        self.shared.fenced(lease, |slot| {
            if let Some(held) = &mut slot.held {
                held.until = until;
            }
            Ok(())
        })
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), Error> {
        self.shared.release(lease.key(), lease.token());
        Ok(())
    }

    async fn load_state(&self, key: &StateKey) -> Result<Option<Record>, Error> {
        Ok(self.shared.lock().get(key).and_then(|slot| slot.record.clone()))
    }

    async fn save_state(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        self.shared.save(lease, write, false)
    }

    async fn delete_state(&self, lease: &Lease) -> Result<bool, Error> {
        self.shared.fenced(lease, |slot| Ok(slot.record.take().is_some()))
    }

    async fn list_states(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        valid_id("user_id", user_id)?;
        let keys = self.shared.lock();
        let of_user =
            keys.iter().filter(|(key, slot)| key.user_id() == user_id && slot.record.is_some());
        Ok(of_user.map(|(key, _)| key.clone()).collect())
    }

    async fn acquire_and_load(&self, key: &StateKey, holder: &Holder) -> Result<Opened, Error> {
        Ok(self.acquire(key, holder))
    }

    async fn save_and_release(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        self.shared.save(lease, write, true)
    }
}
