//! What happens when the backend is out of reach: above any backend, between a call and its hold.
//!
//! - `settings`, `policy`: what the user says about it;
//! - `breaker`: whether the backend is away;
//! - `known`: what this process knows without it;
//! - `alone`: a call that goes on without it;
//! - `replay`: how what was spooled comes to the backend;
//! - `recovery`: the task that waits for the backend's return;
//! - `report`: what a user sees of all this, and decides.

mod alone;
mod breaker;
mod known;
mod outcome;
mod policy;
mod recovery;
mod replay;
mod report;
mod settings;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::alone::Alone;
use self::breaker::Breaker;
use self::known::Known;
pub(crate) use self::outcome::Listeners;
pub use self::outcome::Outcome;
pub(crate) use self::policy::Conduct;
pub use self::policy::OnOutage;
use self::recovery::Recovery;
use self::replay::{Replayed, replay};
pub use self::report::{Health, Resolution, Spooled, SpooledKind};
pub(crate) use self::settings::Settings;
use super::StateManager;
use super::spool::Spool;
use crate::error::Error;
use crate::key::StateKey;
use crate::record::{Record, Revision};

/// All that a manager needs for outages.
#[derive(Debug)]
pub(crate) struct Outage {
    pub(crate) policy: OnOutage,
    breaker: Breaker,
    known: Known,
    spool: Arc<Spool>,
    recovery: Recovery,
}

impl Outage {
    fn new(policy: OnOutage, spool: Spool, known_bytes: usize, probe_every: Duration) -> Self {
        let (breaker, known) = (Breaker::new(probe_every), Known::new(known_bytes));
        let spool = Arc::new(spool);
        Self { policy, breaker, known, spool, recovery: Recovery::default() }
    }

    /// Where states wait for the backend.
    pub(crate) fn spool(&self) -> Arc<Spool> {
        Arc::clone(&self.spool)
    }

    /// Looks before a call asks the backend. What is spooled of its key comes first; gives why the
    /// backend is not to be asked, if it is away.
    pub(crate) async fn look(
        &self,
        manager: &StateManager,
        key: &StateKey,
        wait: Duration,
    ) -> Result<Option<Error>, Error> {
        self.recovery.catch_up(manager);
        if !self.spool.has_pending(key) {
            return Ok(self.refusal(manager, key));
        }
        match replay(manager, key, wait).await? {
            Replayed::All => Ok(None),
            Replayed::Away(error) => Ok(Some(error)),
            Replayed::Busy(holder) => {
                let (key, backend) = (key.clone(), manager.inner.location.to_string());
                let holder = Box::new(holder);
                Err(Error::LeaseTimeout { key, backend, waited: wait, holder })
            }
        }
    }

    /// Replays what an earlier run of the program spooled, if there is something.
    pub(crate) fn start(&self, manager: &StateManager) {
        self.recovery.start(manager);
    }

    /// What this process saved last under a key.
    pub(crate) fn known(&self, key: &StateKey) -> Option<Record> {
        self.known.get(key)
    }

    /// The keys of a user of which something waits for the backend.
    pub(crate) async fn spooled_keys(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        let keys = self.spool.pending_keys().await;
        let mut keys =
            keys.map_err(|error| Error::backend(None, &self.spool_location(), "list", error))?;
        keys.retain(|key| key.user_id() == user_id);
        Ok(keys)
    }

    /// Why the backend is not asked now, if it is known to be away.
    pub(crate) fn refusal(&self, manager: &StateManager, key: &StateKey) -> Option<Error> {
        let refusal = self.breaker.refusal(key, &manager.inner.location)?;
        // Its task may have ended with its runtime.
        self.recovery.start(manager);
        Some(refusal)
    }

    pub(crate) fn is_away(&self) -> bool {
        self.breaker.is_open()
    }

    /// Notes that the backend did not answer.
    pub(crate) fn went_away(&self, manager: &StateManager, key: &StateKey, error: &Error) {
        if self.breaker.open(key, error) {
            tracing::warn!(backend = %manager.inner.location, %error, "the backend is out of reach");
        }
        self.recovery.start(manager);
    }

    /// Notes that the backend answered.
    pub(crate) fn answered(&self, manager: &StateManager) {
        if let Some(away) = self.breaker.close() {
            let since = away.since.elapsed().unwrap_or_default();
            tracing::info!(backend = %manager.inner.location, ?since, "the backend is back");
        }
    }

    /// Notes what a call found under its lease.
    pub(crate) fn found(&self, key: &StateKey, found: Option<Revision>) {
        self.known.found(key, found);
    }

    /// Notes that what this process saved or spooled last is not what the next call is to go on
    /// from.
    pub(crate) fn forget(&self, key: &StateKey) {
        self.known.found(key, None);
    }

    /// Notes what was saved or spooled.
    pub(crate) fn kept(&self, record: &Record, ttl: Option<Duration>) {
        self.known.put(record, ttl);
    }
}

/// Whether a save that ended so may go to the spool: one that did not happen because the backend is
/// out of reach, or one of which nobody knows. That one has the same write id there, so that it
/// happens once.
pub(crate) fn is_spoolable(error: &Error) -> bool {
    error.is_outage() || matches!(error, Error::OutcomeUnknown { write_id: Some(_), .. })
}
