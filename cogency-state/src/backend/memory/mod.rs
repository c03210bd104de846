//! Records in the memory of the process: for tests, and for states that need not outlive it.

mod aside;
mod slots;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::time::Instant as Moment;

use self::slots::{Fenced, Held, Kept, Slots};
use super::listing::key_before;
use super::{Capabilities, KeyPage, Lease, LeaseAttempt, Opened, StateBackend, Write};
use crate::aside::{Aside, AsideId};
use crate::error::Error;
use crate::holder::Holder;
use crate::key::{StateKey, valid_id};
use crate::record::{Record, version_of};

/// Keeps records in memory. A clone keeps the same records.
///
/// They expire by tokio's clock, which `tokio::time::advance` sets forward in a test. A jump of
/// the wall clock changes nothing.
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
    slots: Mutex<Slots>,
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
        self.shared.lock().release(&self.key, self.token);
    }
}

impl MemoryBackend {
    /// An empty one. A lease lasts as long as its holder.
    #[must_use]
    pub fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let location = format!("memory:{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let (last_token, slots) = (AtomicU64::new(0), Mutex::default());
        Self { shared: Arc::new(Shared { location, last_token, slots }), lease_ttl: None }
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
        let token = 1 + self.shared.last_token.fetch_add(1, Ordering::Relaxed);
        let held = Held { token, holder: holder.clone(), until: self.until() };
        let record = match self.shared.lock().acquire(key, held) {
            Ok(record) => record.cloned(),
            Err(holder) => return Opened::Held(holder.clone()),
        };
        let guard = ReleaseOnDrop { shared: Arc::clone(&self.shared), key: key.clone(), token };
        Opened::Acquired {
            lease: Lease::new(key.clone(), token).with_guard(Arc::new(guard)),
            record,
        }
    }
}

impl Default for MemoryBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    /// No code that can panic runs under the lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with a key that a lease is on, unless a newer lease was given out.
    ///
    /// A lease that ran out counts as long as its token is the newest; one that was released
    /// does not.
    fn fenced<R>(
        &self,
        lease: &Lease,
        act: impl FnOnce(Fenced<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut slots = self.lock();
        slots
            .fenced(lease.key(), lease.token())
            .map_or_else(|| Err(Error::lease_lost(lease.key(), &self.location, lease.token())), act)
    }

    fn save(&self, lease: &Lease, write: &Write, release: bool) -> Result<(), Error> {
        self.lock().sweep();
        self.fenced(lease, |mut fenced| {
            let found = fenced.revision();
            if !write.may_replace(found) {
                let (expected, found) = (version_of(write.expected), version_of(found));
                return Err(Error::conflict(lease.key(), &self.location, expected, found));
            }
            let expires = write.ttl.and_then(|ttl| Moment::now().checked_add(ttl));
            fenced.replace(Kept { record: write.record.clone(), expires });
            if release {
                fenced.release();
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
        Capabilities::none()
            .with_lease_ttl(self.lease_ttl)
            .with_saves_that_survive_drop()
            .with_expiry()
            .with_list_of_all()
            .with_aside()
    }

    async fn acquire_lease(&self, key: &StateKey, holder: &Holder) -> Result<LeaseAttempt, Error> {
        Ok(match self.acquire(key, holder) {
            Opened::Acquired { lease, .. } => LeaseAttempt::Acquired(lease),
            Opened::Held(holder) => LeaseAttempt::Held(holder),
        })
    }

    async fn renew_lease(&self, lease: &Lease) -> Result<(), Error> {
        let until = self.until();
        self.shared.fenced(lease, |mut fenced| {
            fenced.renew(until);
            Ok(())
        })
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), Error> {
        self.shared.lock().release(lease.key(), lease.token());
        Ok(())
    }

    async fn load_state(&self, key: &StateKey) -> Result<Option<Record>, Error> {
        Ok(self.shared.lock().record(key).cloned())
    }

    async fn save_state(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        self.shared.save(lease, write, false)
    }

    async fn delete_state(&self, lease: &Lease) -> Result<bool, Error> {
        self.shared.fenced(lease, |mut fenced| Ok(fenced.remove()))
    }

    async fn list_states(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        valid_id("user_id", user_id)?;
        Ok(self.shared.lock().keys_of(user_id))
    }

    async fn list_all(&self, after: Option<&str>, limit: usize) -> Result<KeyPage, Error> {
        let after = key_before(after, &self.shared.location)?;
        let limit = limit.max(1);
        let keys = self.shared.lock().keys_after(after.as_ref(), limit.saturating_add(1));
        Ok(KeyPage::in_order(keys, limit))
    }

    async fn set_aside(&self, lease: &Lease, aside: &Aside) -> Result<bool, Error> {
        self.shared.set_aside(lease, aside)
    }

    async fn list_aside(&self, user_id: Option<&str>) -> Result<Vec<Aside>, Error> {
        self.shared.list_aside(user_id)
    }

    async fn load_aside(&self, key: &StateKey, id: AsideId) -> Result<Option<Record>, Error> {
        Ok(self.shared.load_aside(key, id))
    }

    async fn restore_aside(&self, lease: &Lease, id: AsideId) -> Result<bool, Error> {
        self.shared.restore_aside(lease, id)
    }

    async fn drop_aside(&self, key: &StateKey, id: AsideId) -> Result<bool, Error> {
        Ok(self.shared.drop_aside(key, id))
    }

    async fn acquire_and_load(&self, key: &StateKey, holder: &Holder) -> Result<Opened, Error> {
        Ok(self.acquire(key, holder))
    }

    async fn save_and_release(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        self.shared.save(lease, write, true)
    }
}
