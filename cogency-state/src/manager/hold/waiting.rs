//! Waiting for a key: for its turn in this process, then for its lease.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::super::outage::{Alone, Conduct, Outage};
use super::super::queue::{Place, Ticket};
use super::super::renewal::Renewal;
use super::super::{StateManager, held, observed};
use super::Hold;
use crate::backend::{Lease, LeaseAttempt, Opened, StateBackend};
use crate::error::Error;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::observe::Clock;
use crate::record::Record;

const MAX_POLL_PAUSE: Duration = Duration::from_millis(25);

/// A call that waits for its key.
pub(super) struct Waiting<'a> {
    manager: &'a StateManager,
    place: Place,
    runtime: Handle,
    holder: Holder,
    started: Instant,
    wait: Duration,
}

impl<'a> Waiting<'a> {
    pub(super) fn begin(
        manager: &'a StateManager,
        place: Place,
        wait: Duration,
    ) -> Result<Self, Error> {
        let runtime = Handle::try_current().map_err(|_| Error::NoRuntime)?;
        if held::is_held(&place) {
            let (location, key) = place;
            return Err(Error::Reentrant { key, backend: location.to_string() });
        }
        let (holder, started) = (Holder::current(), Instant::now());
        Ok(Self { manager, place, runtime, holder, started, wait })
    }

    /// Waits for the key's turn in this process, then for its lease.
    pub(super) async fn hold(
        &self,
        conduct: Conduct,
        then: Then,
    ) -> Result<(Box<Hold>, Option<Box<Record>>), Error> {
        let ticket = Ticket::wait(self.place.clone(), &self.holder, self.wait).await;
        let ticket = ticket.map_err(|holder| self.timed_out(holder))?;
        match &self.manager.inner.outage {
            None => {
                let (lease, record) = self.lease(then).await?;
                Ok((self.leased(ticket, conduct, lease), record))
            }
            Some(outage) => Box::pin(self.hold_or_go_on(outage, ticket, conduct, then)).await,
        }
    }

    /// The same over a backend that may be out of reach, and without it where that is allowed.
    async fn hold_or_go_on(
        &self,
        outage: &Outage,
        ticket: Ticket,
        conduct: Conduct,
        then: Then,
    ) -> Result<(Box<Hold>, Option<Box<Record>>), Error> {
        let (manager, key) = (self.manager, self.key());
        let why = match outage.look(manager, key, self.left()).await? {
            Some(why) => why,
            None => match self.lease(then).await {
                Ok((lease, record)) => {
                    outage.answered(manager);
                    if then == Then::Load {
                        outage.found(key, record.as_ref().map(|record| record.revision));
                    }
                    return Ok((self.leased(ticket, conduct, lease), record));
                }
                Err(error) if error.is_outage() => {
                    outage.went_away(manager, key, &error);
                    error
                }
                Err(error) => return Err(error),
            },
        };
        if !conduct.spools() {
            return Err(why);
        }
        let (alone, record) = outage.go_on(manager, key, conduct, self.left(), why).await?;
        Ok((self.unleased(ticket, conduct, Box::new(alone)), record))
    }

    /// Asks the backend until the lease is there.
    async fn lease(&self, then: Then) -> Result<(Lease, Option<Box<Record>>), Error> {
        let backend = &**self.manager.backend();
        let mut pauses = None;
        loop {
            let clock = Clock::start();
            let held_by = match then.attempt(backend, self.key(), &self.holder).await? {
                // In a box: it is handed on through many futures.
                Opened::Acquired { lease, record } => {
                    let location = self.manager.location();
                    observed::opened(location, self.key(), self.started, clock, record.as_ref());
                    return Ok((lease, record.map(Box::new)));
                }
                Opened::Held(held_by) => held_by,
            };
            if pauses.is_none() {
                observed::found_held(self.manager.location(), self.key(), &held_by);
            }
            let left = self.left();
            if left.is_zero() {
                return Err(self.timed_out(held_by));
            }
            let pauses = pauses.get_or_insert_with(poll_pauses);
            let pause = pauses.next().unwrap_or(MAX_POLL_PAUSE);
            tokio::time::sleep(pause.min(left)).await;
        }
    }

    fn leased(&self, ticket: Ticket, conduct: Conduct, lease: Lease) -> Box<Hold> {
        let manager = self.manager;
        let renewal = manager.inner.renewals.renew(&self.runtime, manager.backend(), &lease);
        self.built(ticket, conduct, Some(lease), renewal, None)
    }

    fn unleased(&self, ticket: Ticket, conduct: Conduct, alone: Box<Alone>) -> Box<Hold> {
        self.built(ticket, conduct, None, None, Some(alone))
    }

    fn built(
        &self,
        ticket: Ticket,
        conduct: Conduct,
        lease: Option<Lease>,
        renewal: Option<Renewal>,
        alone: Option<Box<Alone>>,
    ) -> Box<Hold> {
        let (manager, key) = (self.manager.clone(), self.key().clone());
        let (runtime, ticket) = (self.runtime.clone(), Some(ticket));
        Box::new(Hold { manager, key, conduct, runtime, lease, alone, renewal, ticket })
    }

    fn key(&self) -> &StateKey {
        &self.place.1
    }

    fn left(&self) -> Duration {
        self.wait.saturating_sub(self.started.elapsed())
    }

    fn timed_out(&self, holder: Holder) -> Error {
        let (location, key) = self.place.clone();
        let (backend, holder) = (location.to_string(), Box::new(holder));
        Error::LeaseTimeout { key, backend, waited: self.wait, holder }
    }
}

/// What to do with a lease as soon as it is there.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Then {
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
