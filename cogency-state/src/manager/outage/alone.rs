//! A call that goes on without its backend.

use std::time::Duration;

use super::policy::{Conduct, Unknown};
use super::{Outage, Outcome};
use crate::backend::Write;
use crate::error::Error;
use crate::key::StateKey;
use crate::manager::StateManager;
use crate::manager::spool::{Appended, KeyLock};
use crate::record::{Record, version_of};
use crate::spool_problem::SpoolProblem;

/// What such a call has in place of a lease: the key's lock in the spool, which keeps the other
/// processes that use the spool from the key. Nobody else is kept from it.
#[derive(Debug)]
pub(crate) struct Alone {
    lock: KeyLock,
    /// Why there is no lease.
    why: Error,
}

impl Outage {
    /// Goes on without the backend, from what is known here.
    pub(crate) async fn go_on(
        &self,
        manager: &StateManager,
        key: &StateKey,
        conduct: Conduct,
        wait: Duration,
        why: Error,
    ) -> Result<(Alone, Option<Box<Record>>), Error> {
        // Better now than when the body has done its work.
        if let Err(problem) = self.spool.check_room(0).await {
            return Err(self.not_spooled(key, problem, why));
        }
        let lock = match self.spool.lock(key, wait).await {
            Ok(Ok(lock)) => lock,
            Ok(Err(holder)) => {
                let (key, backend) = (key.clone(), manager.inner.location.to_string());
                let holder = Box::new(holder);
                return Err(Error::LeaseTimeout { key, backend, waited: wait, holder });
            }
            Err(problem) => return Err(self.not_spooled(key, problem, why)),
        };
        let record = match self.spooled(key).await? {
            Some(record) => Some(record),
            None => self.known.get(key),
        };
        if record.is_none() && conduct.unknown == Unknown::Fails {
            let location = &manager.inner.location;
            return Err(Error::out_of_reach(Some(key), location, "load", NotKnown(why)));
        }
        Ok((Alone { lock, why }, record.map(Box::new)))
    }

    /// The newest state of a key that is in the spool.
    pub(crate) async fn spooled(&self, key: &StateKey) -> Result<Option<Record>, Error> {
        if !self.spool.has_pending(key) {
            return Ok(None);
        }
        let location = self.spool_location();
        match self.spool.newest(key).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(entry))) => Ok(Some(entry.write.record)),
            Ok(Some(Err(reason))) => Err(Error::corrupt(key, &location, reason)),
            Err(error) => Err(Error::backend(Some(key), &location, "load", error)),
        }
    }

    /// Spools a save that did not reach the backend.
    pub(crate) async fn keep(
        &self,
        manager: &StateManager,
        write: &Write,
        why: Error,
    ) -> Result<Outcome, Error> {
        let key = &write.record.key;
        // Of an outage nothing was stored.
        let pushed = self.spool.push(write, !why.is_outage()).await;
        match pushed {
            Ok(Appended::Surely) => {}
            Ok(Appended::Perhaps(error)) => {
                let write_id = Some(write.record.revision.write_id);
                let source = self.not_spooled(key, error.into(), why);
                return Err(Error::outcome_unknown(key, &self.spool_location(), write_id, source));
            }
            Err(problem) => return Err(self.not_spooled(key, problem, why)),
        }
        tracing::warn!(%key, error = %why, "the state was spooled");
        self.kept(&write.record, write.ttl);
        self.recovery.start(manager);
        Ok(Outcome::Spooled(write.record.revision))
    }

    /// What is not known to be undone stays in doubt.
    fn not_spooled(&self, key: &StateKey, problem: SpoolProblem, why: Error) -> Error {
        let spool = self.spool.path().display().to_string();
        match why {
            Error::OutcomeUnknown { key, backend, write_id, source } => {
                let source =
                    format!("{source}; nor could it be kept in the spool {spool}: {problem}");
                Error::OutcomeUnknown { key, backend, write_id, source: source.into() }
            }
            why => Error::NotSpooled { key: key.clone(), spool, problem, source: Box::new(why) },
        }
    }

    pub(super) fn spool_location(&self) -> String {
        format!("the spool {}", self.spool.path().display())
    }
}

impl Alone {
    /// As a backend would, refuses a save that was made from something else than what is newest
    /// here.
    async fn check(&self, outage: &Outage, location: &str, write: &Write) -> Result<(), Error> {
        let key = &write.record.key;
        let Some(newest) = outage.spooled(key).await? else { return Ok(()) };
        if write.may_replace(Some(newest.revision)) {
            return Ok(());
        }
        let (expected, found) = (version_of(write.expected), newest.revision.version);
        Err(Error::conflict(key, location, expected, found))
    }

    /// Spools the call's save, and gives the key back.
    pub(crate) async fn save(
        self,
        outage: &Outage,
        manager: &StateManager,
        write: &Write,
    ) -> Result<Outcome, Error> {
        let checked = self.check(outage, &manager.inner.location, write).await;
        let Self { lock, why } = self;
        let kept = match checked {
            Ok(()) => outage.keep(manager, write, why).await,
            Err(error) => Err(error),
        };
        lock.release().await;
        kept
    }

    pub(crate) async fn release(self) {
        self.lock.release().await;
    }
}

/// The backend is away, and so is the state.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}; this process neither saved nor spooled the state last, so it does not know it: call again \
     when the backend is back, or let such calls begin anew with `on_outage = fresh`",
    .0.cause()
)]
struct NotKnown(#[source] Error);
