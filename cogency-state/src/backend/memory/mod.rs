//! Records in the memory of the process: for tests, and for states that need not outlive it.

mod aside;
mod blobs;
mod history;
mod noted;
mod saving;
mod slots;
mod story;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::slots::{Fenced, Held, Slots};
use super::listing::key_before;
use super::{
    BlobBackend, Capabilities, HistoryBackend, KeyPage, Lease, LeaseAttempt, Opened, StateBackend,
    Write,
};
use crate::aside::{Aside, AsideId};
use crate::error::Error;
use crate::history::{Event, Retention};
use crate::holder::Holder;
use crate::key::{StateKey, valid_id};
use crate::record::{Record, WriteId};
use async_trait::async_trait;

/// So many versions of each state stay unless told.
const VERSIONS: u64 = 32;

/// Keeps records in memory. A clone keeps the same records.
///
/// They expire by tokio's clock, which `tokio::time::advance` sets forward in a test. A jump of
/// the wall clock changes nothing.
///
/// A [history](crate::StateManager::history) is kept of each: at least the last 32 versions unless
/// [told](Self::with_history). It outlives a state that is deleted, and goes with one that expires.
/// States of more than 4 KB are kept as changes where they change little. The chain of hashes is
/// made when somebody first asks for it: what was pruned before that is not in it.
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
    /// How much of each history stays, where one is kept.
    retention: Option<Retention>,
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
        let shared = Arc::new(Shared { location, last_token, slots });
        Self { shared, lease_ttl: None, retention: Some(Retention::Versions(VERSIONS)) }
    }

    /// With leases that run out unless they are renewed, as those of a server do: for tests of
    /// what a program does when it loses one.
    #[must_use]
    pub fn with_lease_ttl(mut self, ttl: Duration) -> Self {
        self.lease_ttl = Some(ttl);
        self
    }

    /// How much of each state's history stays. What is to go is removed now and then by saves: up to
    /// a quarter more is there in between.
    #[must_use]
    pub fn with_history(mut self, retention: Retention) -> Self {
        self.retention = Some(retention);
        self
    }

    /// Keeps no history: what is saved and deleted through this one leaves no entries.
    #[must_use]
    pub fn without_history(mut self) -> Self {
        self.retention = None;
        self
    }

    fn until(&self) -> Option<Instant> {
        self.lease_ttl.map(|ttl| Instant::now() + ttl)
    }

    fn acquire(&self, key: &StateKey, holder: &Holder) -> Opened {
        let mut slots = self.shared.lock();
        // Under the lock: else whoever took it first might have the greater token.
        let token = 1 + self.shared.last_token.fetch_add(1, Ordering::Relaxed);
        let held = Held { token, holder: holder.clone(), until: self.until() };
        let record = match slots.acquire(key, held) {
            Ok(record) => record.map(|record| Record::clone(record)),
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
        act(self.held(slots.fenced(lease.key(), lease.token()), lease)?)
    }

    fn held<'f>(&self, fenced: Option<Fenced<'f>>, lease: &Lease) -> Result<Fenced<'f>, Error> {
        fenced.ok_or_else(|| Error::lease_lost(lease.key(), &self.location, lease.token()))
    }
}

#[async_trait]
impl StateBackend for MemoryBackend {
    fn location(&self) -> &str {
        &self.shared.location
    }

    fn capabilities(&self) -> Capabilities {
        let capabilities = Capabilities::none()
            .with_lease_ttl(self.lease_ttl)
            .with_saves_that_survive_drop()
            .with_expiry()
            .with_list_of_all()
            .with_aside()
            .with_blobs();
        if self.retention.is_some() { capabilities.with_history() } else { capabilities }
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
        Ok(self.shared.lock().record(key).map(|record| Record::clone(record)))
    }

    async fn save_state(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        self.save(lease, write, false).await
    }

    async fn delete_state(&self, lease: &Lease) -> Result<bool, Error> {
        let id = WriteId::generate().to_string();
        self.shared.fenced(lease, |mut fenced| {
            let was_there = fenced.take().is_some();
            if was_there {
                self.note(&mut fenced, |story, holder, _| {
                    story.gone(holder, &Event::Delete, id, None);
                });
            }
            Ok(was_there)
        })
    }

    async fn list_states(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        valid_id("user_id", user_id)?;
        Ok(self.shared.lock().keys_of(user_id))
    }

    fn history(&self) -> Option<&dyn HistoryBackend> {
        self.retention.map(|_| self as &dyn HistoryBackend)
    }

    fn any_history(&self) -> Option<&dyn HistoryBackend> {
        Some(self)
    }

    fn blobs(&self) -> Option<&dyn BlobBackend> {
        Some(self)
    }

    async fn list_all(&self, after: Option<&str>, limit: usize) -> Result<KeyPage, Error> {
        let after = key_before(after, &self.shared.location)?;
        let limit = limit.max(1);
        let keys = self.shared.lock().keys_after(after.as_ref(), limit.saturating_add(1));
        Ok(KeyPage::in_order(keys, limit))
    }

    async fn set_aside(&self, lease: &Lease, aside: &Aside) -> Result<bool, Error> {
        self.put_aside(lease, aside)
    }

    async fn list_aside(&self, user_id: Option<&str>) -> Result<Vec<Aside>, Error> {
        self.shared.list_aside(user_id)
    }

    async fn load_aside(&self, key: &StateKey, id: AsideId) -> Result<Option<Record>, Error> {
        Ok(self.shared.load_aside(key, id))
    }

    async fn restore_aside(&self, lease: &Lease, id: AsideId) -> Result<bool, Error> {
        self.put_back(lease, id)
    }

    async fn drop_aside(&self, key: &StateKey, id: AsideId) -> Result<bool, Error> {
        Ok(self.shared.drop_aside(key, id))
    }

    async fn acquire_and_load(&self, key: &StateKey, holder: &Holder) -> Result<Opened, Error> {
        Ok(self.acquire(key, holder))
    }

    async fn save_and_release(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        self.save(lease, write, true).await
    }
}
