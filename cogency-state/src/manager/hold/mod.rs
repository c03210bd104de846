//! A key that is held: its place in the queue, its lease, and what is stored under it.

mod waiting;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use self::waiting::{Then, Waiting};
use super::StateManager;
use super::observed;
use super::outage::{Alone, Conduct, Outage, Outcome, is_spoolable};
use super::queue::{Place, Ticket};
use super::renewal::Renewal;
use super::to_the_end::ToTheEnd;
use crate::backend::{Lease, StateBackend, Sweep, Write};
use crate::error::{Error, PANICKED};
use crate::key::StateKey;
use crate::observe::Clock;
use crate::record::Record;

/// How often a save whose answer was lost is sent again. It has the same write id, so that it
/// happens once however often it arrives.
const SAVE_TRIES: usize = 3;
/// Who has said nothing for so long is not asked once more.
pub(super) const TRY_AGAIN_WITHIN: Duration = Duration::from_secs(1);

/// A lease, renewed until it is released or dropped; or, where the backend is out of reach, what
/// stands for one.
///
/// It is in a box, as is all that happens seldom, here and in the futures: it is handed on through
/// many of them, and each would move it.
#[derive(Debug)]
pub(crate) struct Hold {
    manager: StateManager,
    key: StateKey,
    conduct: Conduct,
    runtime: Handle,
    /// `None` once it was given back, and without the backend.
    lease: Option<Lease>,
    /// Only without the backend.
    alone: Option<Box<Alone>>,
    renewal: Option<Renewal>,
    /// Left last.
    ticket: Option<Ticket>,
}

impl Hold {
    /// Waits for a key, and takes it.
    pub(crate) async fn acquire(
        manager: &StateManager,
        place: Place,
        wait: Duration,
    ) -> Result<Box<Self>, Error> {
        let conduct = Conduct::failing();
        let waiting = Waiting::begin(manager, place, wait)?;
        let (hold, _) = waiting.hold(conduct, Then::Nothing).await?;
        Ok(hold)
    }

    /// Waits for a key, takes it, and loads what is stored, or what is known of that here.
    pub(crate) async fn open(
        manager: &StateManager,
        place: Place,
        wait: Duration,
        conduct: Conduct,
    ) -> Result<(Box<Self>, Option<Box<Record>>), Error> {
        let waiting = Waiting::begin(manager, place, wait)?;
        waiting.hold(conduct, Then::Load).await
    }

    /// Saves, and gives the key back. Runs to its end although the caller may stop waiting.
    pub(crate) async fn save(self: Box<Self>, write: Box<Write>) -> Result<Outcome, Error> {
        if self.manager.backend().capabilities().saves_survive_drop {
            return self.save_here(write).await;
        }
        let manager = self.manager.clone();
        let (key, write_id) = (self.key.clone(), write.record.revision.write_id);
        let saved = ToTheEnd::new(self.runtime.clone(), self.save_here(write)).await;
        saved.unwrap_or_else(|_panic| {
            let location = &manager.inner.location;
            Err(Error::outcome_unknown(&key, location, Some(write_id), PANICKED))
        })
    }

    async fn save_here(mut self: Box<Self>, write: Box<Write>) -> Result<Outcome, Error> {
        let clock = Clock::start();
        let outcome = self.save_or_spool(&write).await;
        observed::saved(self.manager.location(), &write, clock, outcome.as_ref().copied());
        self.manager.inner.listeners.tell(&self.key, outcome.as_ref().copied());
        // Who has waited for a server that does not answer need not wait for it again.
        if outcome.as_ref().is_err_and(|error| !is_spoolable(error)) {
            Box::pin(self.release()).await;
        }
        outcome
    }

    async fn save_or_spool(&mut self, write: &Write) -> Result<Outcome, Error> {
        let manager = self.manager.clone();
        let Some(outage) = &manager.inner.outage else {
            return self.store(write, SAVE_TRIES).await;
        };
        if let Some(alone) = self.alone.take() {
            return Box::pin(alone.save(outage, &manager, write)).await;
        }
        let spools = self.conduct.spools();
        let refusal = if spools { outage.refusal(&manager, &self.key) } else { None };
        let error = match refusal {
            Some(refusal) => refusal,
            None => match self.store(write, if spools { 1 } else { SAVE_TRIES }).await {
                Ok(outcome) => {
                    outage.kept(&write.record, write.ttl);
                    outage.answered(&manager);
                    return Ok(outcome);
                }
                Err(error) if is_spoolable(&error) => {
                    outage.went_away(&manager, &self.key, &error);
                    error
                }
                Err(error) => return Err(error),
            },
        };
        if spools { Box::pin(outage.keep(&manager, write, error)).await } else { Err(error) }
    }

    /// Saves in the backend.
    async fn store(&mut self, write: &Write, tries: usize) -> Result<Outcome, Error> {
        let revision = write.record.revision;
        let Some(lease) = self.lease.clone() else { return Ok(Outcome::Saved(revision)) };
        // It may take long, and the lease has to last until then.
        if !write.blobs.is_empty() {
            Box::pin(self.manager.store_blobs(&lease, &write.blobs)).await?;
        }
        let named = write.record.metadata.blob_ids.as_deref().unwrap_or_default();
        if write.sweep == Sweep::Before {
            Box::pin(self.manager.sweep_before(&lease, named)).await?;
        }
        self.renewal.iter().for_each(Renewal::ends);
        let (backend, began) = (&**self.manager.backend(), Instant::now());
        let mut saved = save_in(backend, &lease, write).await;
        for _ in 1..tries {
            let is_silent = began.elapsed() > TRY_AGAIN_WITHIN;
            if is_silent || !matches!(saved, Err(Error::OutcomeUnknown { .. })) {
                break;
            }
            // Only success settles it: that a later try changed nothing does not say that the
            // first did not.
            if save_in(backend, &lease, write).await.is_ok() {
                saved = Ok(());
            }
        }
        if let Err(error) = &saved {
            Box::pin(self.forget_blobs(&lease, write, error)).await;
        }
        saved?;
        if write.sweep == Sweep::Behind {
            Box::pin(self.manager.sweep_under(&lease, named)).await;
            // That it was not given back is logged: the save counts.
            let _ = release(backend, &lease).await;
        }
        self.lease = None;
        Ok(Outcome::Saved(revision))
    }

    /// What was stored for a save that did not happen is swept at once.
    async fn forget_blobs(&self, lease: &Lease, write: &Write, why: &Error) {
        let may_sweep = !is_spoolable(why) && !matches!(why, Error::LeaseLost { .. });
        if may_sweep && !write.blobs.is_empty() {
            self.manager.sweep_under(lease, &[]).await;
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
    pub(crate) async fn delete(self: Box<Self>) -> Result<bool, Error> {
        let Some(lease) = self.lease.clone() else { return Ok(false) };
        let deleted = self.manager.backend().delete_state(&lease).await;
        if let (Some(outage), Ok(_) | Err(Error::OutcomeUnknown { .. })) =
            (&self.manager.inner.outage, &deleted)
        {
            outage.forget(&self.key);
        }
        if deleted.is_ok() {
            Box::pin(self.manager.sweep_under(&lease, &[])).await;
        }
        self.release().await;
        deleted
    }

    /// Gives the key back, and waits until that is done: not for a backend that is known to be
    /// away.
    pub(crate) async fn release(mut self: Box<Self>) {
        self.renewal = None;
        if let Some(alone) = self.alone.take() {
            alone.release().await;
        }
        let manager = self.manager.clone();
        let outage = manager.inner.outage.as_ref();
        if outage.is_some_and(Outage::is_away) {
            return;
        }
        let Some(lease) = &self.lease else { return };
        let released = release(&**manager.backend(), lease).await;
        if let (Some(outage), Err(error)) = (outage, released)
            && error.is_outage()
        {
            outage.went_away(&manager, &self.key, &error);
        }
        // From here on the drop has nothing left to do.
        self.lease = None;
    }
}

/// Saves, and gives the lease back unless something is left to do under it.
async fn save_in(backend: &dyn StateBackend, lease: &Lease, write: &Write) -> Result<(), Error> {
    if write.sweep == Sweep::Behind {
        backend.save_state(lease, write).await
    } else {
        backend.save_and_release(lease, write).await
    }
}

async fn release(backend: &dyn StateBackend, lease: &Lease) -> Result<(), Error> {
    backend.release_lease(lease).await.inspect_err(|error| {
        tracing::warn!(key = %lease.key(), %error, "a lease was not given back");
    })
}

/// Gives the key back a moment later: nothing can be waited for in a drop.
impl Drop for Hold {
    fn drop(&mut self) {
        self.renewal = None;
        let Some(lease) = self.lease.take() else { return };
        let runtime = Handle::try_current().unwrap_or_else(|_| self.runtime.clone());
        let (backend, ticket) = (Arc::clone(self.manager.backend()), self.ticket.take());
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
