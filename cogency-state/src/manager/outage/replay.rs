//! What was spooled comes to the backend: in order, under the key's lease, each entry with the
//! compare-and-set of any save. It is gone from the spool when the backend has it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::{Outage, is_spoolable};
use crate::backend::{Lease, LeaseAttempt, StateBackend};
use crate::error::{Error, PANICKED};
use crate::holder::Holder;
use crate::key::StateKey;
use crate::manager::spool::{EntryName, KeyLock, Kind, is_over};
use crate::manager::to_the_end::ToTheEnd;
use crate::manager::{StateManager, observed};

/// Between two looks at a lease that somebody else holds.
const POLL_PAUSE: Duration = Duration::from_millis(10);

/// How a replay ended that met no problem of the key's own.
#[derive(Debug)]
pub(crate) enum Replayed {
    /// Nothing of the key is pending any more.
    All,
    /// The backend is out of reach.
    Away(Error),
    /// Somebody else is at work on the key.
    Busy(Holder),
}

/// Replays what is pending of a key. For the head of its queue; runs to its end although the caller
/// may stop waiting.
pub(crate) async fn replay(
    manager: &StateManager,
    key: &StateKey,
    wait: Duration,
) -> Result<Replayed, Error> {
    let runtime = Handle::try_current().map_err(|_| Error::NoRuntime)?;
    let (own_manager, own_key) = (manager.clone(), key.clone());
    let work = async move {
        let Some(outage) = &own_manager.inner.outage else { return Ok(Replayed::All) };
        Replay { manager: &own_manager, outage, key: &own_key }.run(wait).await
    };
    ToTheEnd::new(runtime, work).await.unwrap_or_else(|_panic| {
        Err(Error::backend(Some(key), &manager.inner.location, "replay", PANICKED))
    })
}

struct Replay<'a> {
    manager: &'a StateManager,
    outage: &'a Outage,
    key: &'a StateKey,
}

impl Replay<'_> {
    async fn run(self, wait: Duration) -> Result<Replayed, Error> {
        if let Some(refusal) = self.outage.refusal(self.manager, self.key) {
            return Ok(Replayed::Away(refusal));
        }
        let deadline = Instant::now().checked_add(wait);
        let lock = match self.outage.spool.lock(self.key, wait).await {
            Ok(Ok(lock)) => lock,
            Ok(Err(holder)) => return Ok(Replayed::Busy(holder)),
            Err(problem) => return Err(self.failed(io::Error::other(problem.to_string()))),
        };
        let names = lock.names(Kind::Pending).await.map_err(|error| self.failed(error))?;
        if names.is_empty() {
            return Ok(Replayed::All);
        }
        let lease = match self.lease(deadline).await {
            Ok(Ok(lease)) => lease,
            Ok(Err(holder)) => return Ok(Replayed::Busy(holder)),
            Err(error) => return self.stopped(error),
        };
        let backend = self.manager.backend();
        let runtime = Handle::try_current().map_err(|_| Error::NoRuntime)?;
        let renewal = self.manager.inner.renewals.renew(&runtime, backend, &lease);
        let sent = self.send_all(&lock, &lease, names).await;
        drop(renewal);
        let giving_back = give_back(Arc::clone(backend), lease);
        match sent {
            // Who has waited for a server that does not answer need not wait for it again.
            Err(error) if is_spoolable(&error) => {
                runtime.spawn(giving_back);
                self.stopped(error)
            }
            sent => {
                giving_back.await;
                sent
            }
        }
    }

    async fn lease(&self, deadline: Option<Instant>) -> Result<Result<Lease, Holder>, Error> {
        let holder = Holder::current();
        loop {
            match self.manager.backend().acquire_lease(self.key, &holder).await? {
                LeaseAttempt::Acquired(lease) => return Ok(Ok(lease)),
                LeaseAttempt::Held(holder) if is_over(deadline) => return Ok(Err(holder)),
                LeaseAttempt::Held(_) => tokio::time::sleep(POLL_PAUSE).await,
            }
        }
    }

    async fn send_all(
        &self,
        lock: &KeyLock,
        lease: &Lease,
        names: Vec<EntryName>,
    ) -> Result<Replayed, Error> {
        for name in names {
            self.send(lock, lease, &name).await?;
        }
        self.outage.answered(self.manager);
        Ok(Replayed::All)
    }

    /// Sends one entry; what cannot be stored is set aside.
    async fn send(&self, lock: &KeyLock, lease: &Lease, name: &EntryName) -> Result<(), Error> {
        let failed = |error| self.failed(error);
        let entry = match lock.read(Kind::Pending, name).await.map_err(failed)? {
            Ok(entry) => entry,
            Err(reason) => {
                tracing::error!(key = %self.key, reason, "a spooled state is damaged, and is kept");
                observed::replayed(self.manager.location(), "damaged");
                return lock.set_aside(name, Kind::Damaged, name).await.map_err(failed);
            }
        };
        // Should this process die now, the next one knows that the save may have happened.
        let sent = lock.mark_sent(name).await.map_err(failed)?;
        self.manager.store_blobs(lease, &entry.write.blobs).await?;
        match self.manager.backend().save_state(lease, &entry.write).await {
            Ok(()) => {
                self.outage.kept(&entry.write.record, entry.write.ttl);
                lock.remove(Kind::Pending, &sent).await.map_err(failed)?;
                tracing::info!(key = %self.key, "a spooled state was saved");
                observed::replayed(self.manager.location(), "saved");
                Ok(())
            }
            // What is named and not there went with a state that is not stored any more.
            Err(error @ (Error::Conflict { .. } | Error::BlobMissing { .. })) => {
                tracing::error!(
                    key = %self.key, %error,
                    "a spooled state is in conflict with what is stored; both are kept"
                );
                observed::replayed(self.manager.location(), "conflict");
                self.outage.forget(self.key);
                lock.set_aside(&sent, Kind::Conflict, name).await.map_err(failed)
            }
            Err(error) => Err(error),
        }
    }

    /// What is pending stays so.
    fn stopped(&self, error: Error) -> Result<Replayed, Error> {
        if !is_spoolable(&error) {
            return Err(error);
        }
        self.outage.went_away(self.manager, self.key, &error);
        Ok(Replayed::Away(error))
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::backend(Some(self.key), &self.outage.spool_location(), "replay", error)
    }
}

async fn give_back(backend: Arc<dyn StateBackend>, lease: Lease) {
    if let Err(error) = backend.release_lease(&lease).await {
        tracing::warn!(key = %lease.key(), %error, "a lease was not given back");
    }
}
