//! A key that is held: its place in the queue, its lease, and what is stored under it.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::StateManager;
use super::held;
use super::queue::{Place, Ticket};
use super::renewal::Renewal;
use super::to_the_end::ToTheEnd;
use crate::backend::{Lease, LeaseAttempt, Opened, StateBackend, Write};
use crate::error::{Error, PANICKED};
use crate::holder::Holder;
use crate::key::StateKey;
use crate::record::{Record, Revision};

/// How often a save whose answer was lost is sent again. It has the same write id, so that it
/// happens once however often it arrives.
const SAVE_TRIES: usize = 3;

/// A lease, renewed until it is released or dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    backend: Arc<dyn StateBackend>,
    runtime: Handle,
    /// `None` once it was given back.
    lease: Option<Lease>,
    /// Left last, after the lease.
    ticket: Option<Ticket>,
    renewal: Option<Renewal>,
}

impl Hold {
    /// Waits for a key, and takes it.
    pub(crate) async fn acquire(
        manager: &StateManager,
        place: Place,
        wait: Duration,
    ) -> Result<Self, Error> {
        let (hold, _) = Self::wait(manager, place, wait, Then::Nothing).await?;
        Ok(hold)
    }

    /// Waits for a key, takes it, and loads what is stored.
    pub(crate) async fn open(
        manager: &StateManager,
        place: Place,
        wait: Duration,
    ) -> Result<(Self, Option<Box<Record>>), Error> {
        Self::wait(manager, place, wait, Then::Load).await
    }

    async fn wait(
        manager: &StateManager,
        place: Place,
        wait: Duration,
        then: Then,
    ) -> Result<(Self, Option<Box<Record>>), Error> {
        let backend = manager.backend();
        let runtime = Handle::try_current().map_err(|_| Error::NoRuntime)?;
        let (location, key) = place.clone();
        if held::is_held(&place) {
            return Err(Error::Reentrant { key, backend: location.to_string() });
        }
        let timed_out = |holder| {
            let (key, backend, holder) = (key.clone(), location.to_string(), Box::new(holder));
            Error::LeaseTimeout { key, backend, waited: wait, holder }
        };
        let started = Instant::now();
        let holder = Holder::current();
        let ticket = Ticket::wait(place, &holder, wait).await.map_err(timed_out)?;
        let mut pauses = None;
        loop {
            let held_by = match then.attempt(&**backend, &key, &holder).await? {
                Opened::Acquired { lease, record } => {
                    let renewal = manager.inner.renewals.renew(&runtime, backend, &lease);
                    let (lease, ticket) = (Some(lease), Some(ticket));
                    let hold =
                        Self { backend: Arc::clone(backend), runtime, lease, ticket, renewal };
                    // In a box: it is handed on through many futures.
                    return Ok((hold, record.map(Box::new)));
                }
                Opened::Held(held_by) => held_by,
            };
            let left = wait.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(timed_out(held_by));
            }
            let pauses = pauses.get_or_insert_with(poll_pauses);
            let pause = pauses.next().unwrap_or(MAX_POLL_PAUSE);
            tokio::time::sleep(pause.min(left)).await;
        }
    }

    /// Saves, and gives the key back. Runs to its end although the caller may stop waiting.
    pub(crate) async fn save(self, write: Box<Write>) -> Result<Revision, Error> {
        if self.backend.capabilities().saves_survive_drop {
            return self.save_here(write).await;
        }
        let (backend, write_id) = (Arc::clone(&self.backend), write.record.revision.write_id);
        let key = write.record.key.clone();
        let saved = ToTheEnd::new(self.runtime.clone(), self.save_here(write)).await;
        saved.unwrap_or_else(|_panic| {
            Err(Error::outcome_unknown(&key, backend.location(), Some(write_id), PANICKED))
        })
    }

    async fn save_here(mut self, write: Box<Write>) -> Result<Revision, Error> {
        let Some(lease) = self.lease.clone() else { return Ok(write.record.revision) };
        self.renewal.iter().for_each(Renewal::ends);
        let mut saved = self.backend.save_and_release(&lease, &write).await;
        for _ in 1..SAVE_TRIES {
            if !matches!(saved, Err(Error::OutcomeUnknown { .. })) {
                break;
            }
            // Only success settles it: that a later try changed nothing does not say that the
            // first did not.
            if self.backend.save_and_release(&lease, &write).await.is_ok() {
                saved = Ok(());
            }
        }
        match saved {
            Ok(()) => {
                self.lease = None;
                Ok(write.record.revision)
            }
            Err(error) => {
                self.release().await;
                Err(error)
            }
        }
    }

    /// What is held; `None` once it was given back.
    pub(super) fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// Where it was taken.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Deletes what is stored, and gives the key back.
    pub(crate) async fn delete(self) -> Result<bool, Error> {
        let Some(lease) = self.lease.clone() else { return Ok(false) };
        let deleted = self.backend.delete_state(&lease).await;
        self.release().await;
        deleted
    }

    /// Gives the key back, and waits until that is done.
    pub(crate) async fn release(mut self) {
        self.renewal = None;
        if let Some(lease) = &self.lease {
            release(&*self.backend, lease).await;
        }
        // From here on the drop has nothing left to do.
        self.lease = None;
    }
}

async fn release(backend: &dyn StateBackend, lease: &Lease) {
    if let Err(error) = backend.release_lease(lease).await {
        tracing::warn!(key = %lease.key(), %error, "a lease was not given back");
    }
}

/// Gives the key back a moment later: nothing can be waited for in a drop.
impl Drop for Hold {
    fn drop(&mut self) {
        self.renewal = None;
        let Some(lease) = self.lease.take() else { return };
        let runtime = Handle::try_current().unwrap_or_else(|_| self.runtime.clone());
        let (backend, ticket) = (Arc::clone(&self.backend), self.ticket.take());
        if backend.capabilities().lease_ttl.is_none() {
            // Its end may take a thread's time. A task would wait until somebody runs the runtime
            // again, which may be never.
            runtime.spawn_blocking(move || {
                drop(lease);
                drop(ticket);
            });
        } else {
            // The next in the queue looks again until the lease is free or has run out.
            drop(ticket);
            runtime.spawn(async move { release(&*backend, &lease).await });
        }
    }
}

/// What to do with a lease as soon as it is there.
#[derive(Clone, Copy)]
enum Then {
    Load,
    Nothing,
}

impl Then {
    async fn attempt(
        self,
        backend: &dyn StateBackend,
        key: &StateKey,
        holder: &Holder,
    ) -> Result<Opened, Error> {
        match self {
            Self::Load => backend.acquire_and_load(key, holder).await,
            Self::Nothing => Ok(match backend.acquire_lease(key, holder).await? {
                LeaseAttempt::Acquired(lease) => Opened::Acquired { lease, record: None },
                LeaseAttempt::Held(holder) => Opened::Held(holder),
            }),
        }
    }
}

/// Pauses between two looks at a lease that somebody else holds.
fn poll_pauses() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(1))
        .with_max_delay(MAX_POLL_PAUSE)
        .with_jitter()
        .without_max_times()
        .build()
}

const MAX_POLL_PAUSE: Duration = Duration::from_millis(25);
