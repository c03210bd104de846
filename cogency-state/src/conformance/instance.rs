//! A backend's methods, with what is due built in.

use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::check::{Stop, Verdict, ensure, fail};
use super::sample;
use crate::backend::{Lease, LeaseAttempt, StateBackend, Write};
use crate::error::Error;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::record::{Record, version_of};

/// How much later than due a thing may happen on a busy machine.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// How often something is looked at that is waited for.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// One instance of the backend under test.
#[derive(Clone, Debug)]
pub(super) struct Instance(Arc<dyn StateBackend>);

impl Deref for Instance {
    type Target = dyn StateBackend;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl Instance {
    pub(super) fn new(backend: Arc<dyn StateBackend>) -> Self {
        Self(backend)
    }

    pub(super) async fn attempt(&self, key: &StateKey) -> Verdict<Option<Lease>> {
        match self.acquire_lease(key, &Holder::current()).await {
            Ok(LeaseAttempt::Acquired(lease)) => Ok(Some(lease)),
            Ok(LeaseAttempt::Held(_)) => Ok(None),
            Err(error) => Err(Stop::unexpected("acquire_lease", &error)),
        }
    }

    /// Takes a lease that is free.
    pub(super) async fn acquire(&self, key: &StateKey) -> Verdict<Lease> {
        match self.attempt(key).await? {
            Some(lease) => Ok(lease),
            None => fail!("acquire_lease says Held, but nobody holds {key}"),
        }
    }

    /// Takes a lease that gets free within a time.
    pub(super) async fn acquire_within(&self, key: &StateKey, due: Duration) -> Verdict<Lease> {
        let begun = Instant::now();
        loop {
            if let Some(lease) = self.attempt(key).await? {
                return Ok(lease);
            }
            ensure!(begun.elapsed() < due, "after {due:?} the lease on {key} is still held");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Takes a lease whose holder is gone: it is free at once where the backend can tell, which
    /// includes a moment for it to notice, else once it has run out.
    pub(super) async fn acquire_abandoned(&self, key: &StateKey) -> Verdict<Lease> {
        let ttl = self.capabilities().lease_ttl.unwrap_or_default();
        self.acquire_within(key, ttl + GRACE).await
    }

    /// Fails if a lease is free that somebody took or renewed at that moment.
    pub(super) async fn finds_held(&self, key: &StateKey, since: Instant, when: &str) -> Verdict {
        if self.attempt(key).await?.is_none() {
            return Ok(());
        }
        if self.capabilities().lease_ttl.is_some_and(|ttl| since.elapsed() >= ttl) {
            return Err(Stop::TooSlow);
        }
        fail!("{when}: the lease on {key} is given to a second holder")
    }

    pub(super) async fn release(&self, lease: &Lease) -> Verdict {
        self.release_lease(lease).await.map_err(|error| Stop::unexpected("release_lease", &error))
    }

    pub(super) async fn renew(&self, lease: &Lease) -> Verdict {
        self.renew_lease(lease).await.map_err(|error| Stop::unexpected("renew_lease", &error))
    }

    pub(super) async fn load(&self, key: &StateKey) -> Verdict<Option<Record>> {
        self.load_state(key).await.map_err(|error| Stop::unexpected("load_state", &error))
    }

    /// Fails unless this record is under its key.
    pub(super) async fn holds(&self, record: &Record, when: &str) -> Verdict {
        sample::same(self.load(&record.key).await?.as_ref(), Some(record), when)
    }

    /// Fails if there is a record under a key.
    pub(super) async fn holds_none(&self, key: &StateKey, when: &str) -> Verdict {
        sample::same(self.load(key).await?.as_ref(), None, when)
    }

    pub(super) async fn write(&self, lease: &Lease, write: &Write) -> Verdict {
        self.save_state(lease, write).await.map_err(|error| Stop::unexpected("save_state", &error))
    }

    /// Saves a record over the one that it was made from.
    pub(super) async fn save(
        &self,
        lease: &Lease,
        record: &Record,
        replaces: Option<&Record>,
    ) -> Verdict {
        let expected = replaces.map(|record| record.revision);
        self.write(lease, &Write::new(record.clone(), expected)).await
    }

    pub(super) async fn delete(&self, lease: &Lease) -> Verdict<bool> {
        self.delete_state(lease).await.map_err(|error| Stop::unexpected("delete_state", &error))
    }

    pub(super) async fn list(&self, user_id: &str) -> Verdict<Vec<StateKey>> {
        self.list_states(user_id).await.map_err(|error| Stop::unexpected("list_states", &error))
    }

    /// A record under a key that had none, saved with a lease of its own.
    pub(super) async fn create(&self, key: &StateKey, text: &str) -> Verdict<Record> {
        let lease = self.acquire(key).await?;
        let record = self.create_under(&lease, text).await?;
        self.release(&lease).await?;
        Ok(record)
    }

    /// A record under a key that had none.
    pub(super) async fn create_under(&self, lease: &Lease, text: &str) -> Verdict<Record> {
        let record = sample::record(lease.key(), None, text);
        self.save(lease, &record, None).await?;
        Ok(record)
    }

    /// Fails unless a write is refused as a conflict that names both versions.
    pub(super) async fn refuses(
        &self,
        lease: &Lease,
        write: &Write,
        found: Option<&Record>,
        when: &str,
    ) -> Verdict {
        let due = (version_of(write.expected), version_of(found.map(|record| record.revision)));
        match self.save_state(lease, write).await {
            Err(Error::Conflict { key, expected, found, .. }) => {
                ensure!(key == *lease.key(), "{when}: the Conflict names another key, {key}");
                ensure!(
                    (expected, found) == due,
                    "{when}: the Conflict says expected {expected} and found {found}, due is \
                     expected {} and found {}",
                    due.0,
                    due.1
                );
            }
            Err(error) => fail!("{when}: the save failed with {error:?}, due is Conflict"),
            Ok(()) => fail!("{when}: the save succeeded, due is Conflict"),
        }
        sample::same(self.load(lease.key()).await?.as_ref(), found, &format!("{when}, refused"))
    }

    /// Fails unless everything is refused that is done with a lease which no longer counts.
    pub(super) async fn refuses_lost(&self, lease: &Lease, found: &Record, when: &str) -> Verdict {
        let record = sample::record(lease.key(), Some(found), "by nobody's leave");
        let write = Write::new(record, Some(found.revision));
        lost(self.save_state(lease, &write).await, &format!("save_state {when}"))?;
        self.holds(found, &format!("after save_state {when}")).await?;
        lost(self.save_and_release(lease, &write).await, &format!("save_and_release {when}"))?;
        self.holds(found, &format!("after save_and_release {when}")).await?;
        lost(self.delete_state(lease).await, &format!("delete_state {when}"))?;
        self.holds(found, &format!("after delete_state {when}")).await?;
        lost(self.renew_lease(lease).await, &format!("renew_lease {when}"))
    }
}

/// Fails unless a result is `LeaseLost`.
fn lost<T>(result: Result<T, Error>, what: &str) -> Verdict {
    match result {
        Err(Error::LeaseLost { .. }) => Ok(()),
        Err(error) => fail!("{what} failed with {error:?}, due is LeaseLost"),
        Ok(_) => fail!("{what} succeeded, due is LeaseLost"),
    }
}
