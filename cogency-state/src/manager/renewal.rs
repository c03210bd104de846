//! Leases are renewed while they are held.
//!
//! One task for each runtime renews all leases that its calls hold, so that a short call, which is
//! most of them, costs a few steps under a lock and no task of its own. The task looks at every
//! quarter of a lease's time, and renews what was there when it looked last: a lease is renewed
//! before half of its time is over. It ends when there was nothing to do for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::runtime::{self, Handle};

use crate::backend::{Lease, StateBackend};
use crate::error::Error;

/// The leases of one backend that are held.
#[derive(Debug, Default)]
pub(super) struct Renewals {
    by_runtime: Mutex<HashMap<runtime::Id, Held, RandomState>>,
}

/// The leases that one runtime's calls hold.
#[derive(Debug, Default)]
struct Held {
    leases: HashMap<u64, Entry, RandomState>,
    last_number: u64,
    /// Whether a lease came since the last look.
    is_busy: bool,
}

#[derive(Debug)]
struct Entry {
    lease: Lease,
    stage: Stage,
    /// Whether its holder is giving it back: that it is gone is no news then.
    is_ending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// It came since the last look.
    New,
    /// To be renewed with the next look.
    Due,
    /// Its renewal is under way.
    Renewing,
}

/// A lease that is renewed until this is dropped.
#[derive(Debug)]
pub(super) struct Renewal {
    renewals: Arc<Renewals>,
    runtime: runtime::Id,
    number: u64,
}

impl Renewal {
    /// Says that its holder is about to give the lease back. Until that is done it is renewed.
    pub(super) fn ends(&self) {
        self.renewals.with(self.runtime, |held| {
            if let Some(entry) = held.leases.get_mut(&self.number) {
                entry.is_ending = true;
            }
        });
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        // What it gives is dropped behind the lock, as all leases are: a backend's code may run.
        self.renewals.with(self.runtime, |held| held.leases.remove(&self.number));
    }
}

impl Renewals {
    /// Renews a lease, on a backend whose leases run out.
    pub(super) fn renew(
        self: &Arc<Self>,
        runtime: &Handle,
        backend: &Arc<dyn StateBackend>,
        lease: &Lease,
    ) -> Option<Renewal> {
        let ttl = backend.capabilities().lease_ttl?;
        let mut by_runtime = self.lock();
        let is_first = !by_runtime.contains_key(&runtime.id());
        let held = by_runtime.entry(runtime.id()).or_default();
        held.last_number += 1;
        held.is_busy = true;
        let number = held.last_number;
        let entry = Entry { lease: lease.clone(), stage: Stage::New, is_ending: false };
        held.leases.insert(number, entry);
        drop(by_runtime);
        if is_first {
            let task =
                Task { renewals: Arc::downgrade(self), runtime: runtime.id(), is_over: false };
            let renewing = task.run(Arc::downgrade(backend), ttl / 4);
            runtime.spawn(renewing);
            // What a worker spawned last is its next, and no other worker would take it over from
            // a body that keeps this one busy: so the last is a task with nothing to do.
            runtime.spawn(async {});
        }
        Some(Renewal { renewals: Arc::clone(self), runtime: runtime.id(), number })
    }

    /// The leases to renew now; `None` if there is nothing to do any more.
    fn look(&self, runtime: runtime::Id) -> Option<Vec<(u64, Lease)>> {
        let mut by_runtime = self.lock();
        let held = by_runtime.get_mut(&runtime)?;
        if held.leases.is_empty() && !held.is_busy {
            by_runtime.remove(&runtime);
            return None;
        }
        held.is_busy = false;
        Some(held.leases.iter_mut().filter_map(|(number, entry)| entry.look(*number)).collect())
    }

    /// Goes on with a lease whose renewal has come to its end, unless it is lost.
    fn settle(&self, runtime: runtime::Id, number: u64, renewed: Result<(), Error>) {
        match renewed {
            Err(error @ Error::LeaseLost { .. }) => {
                let lost = self.with(runtime, |held| held.leases.remove(&number)).flatten();
                if lost.is_some_and(|entry| !entry.is_ending) {
                    // The save will be refused; there is no way to stop the body before.
                    tracing::warn!(%error, "a lease was lost while it was held");
                }
                return;
            }
            Err(error) => tracing::warn!(%error, "a lease was not renewed, trying again"),
            Ok(()) => {}
        }
        self.with(runtime, |held| {
            if let Some(entry) = held.leases.get_mut(&number) {
                entry.stage = Stage::Due;
            }
        });
    }

    fn with<T>(&self, runtime: runtime::Id, act: impl FnOnce(&mut Held) -> T) -> Option<T> {
        self.lock().get_mut(&runtime).map(act)
    }

    /// No code that can panic runs under the lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<runtime::Id, Held, RandomState>> {
        self.by_runtime.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn look(&mut self, number: u64) -> Option<(u64, Lease)> {
        match self.stage {
            Stage::New => {
                self.stage = Stage::Due;
                None
            }
            Stage::Due => {
                self.stage = Stage::Renewing;
                Some((number, self.lease.clone()))
            }
            Stage::Renewing => None,
        }
    }
}

/// Renews a runtime's leases. Keeps neither them nor the backend alive: with its manager a backend
/// leaves its connections at once.
struct Task {
    renewals: Weak<Renewals>,
    runtime: runtime::Id,
    /// Whether it came to its end, rather than was dropped with its runtime.
    is_over: bool,
}

impl Task {
    async fn run(mut self, backend: Weak<dyn StateBackend>, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            // Whoever holds a lease has both.
            let Some(renewals) = self.renewals.upgrade() else { return };
            let Some(backend) = backend.upgrade() else { return };
            let Some(due) = renewals.look(self.runtime) else { break };
            for (number, lease) in due {
                let (renewals, runtime) = (Arc::clone(&renewals), self.runtime);
                let backend = Arc::clone(&backend);
                // Side by side: one that takes long does not hold up the others.
                tokio::spawn(async move {
                    let renewed = backend.renew_lease(&lease).await;
                    renewals.settle(runtime, number, renewed);
                });
            }
        }
        self.is_over = true;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(renewals) = self.renewals.upgrade().filter(|_| !self.is_over) {
            let held = renewals.lock().remove(&self.runtime);
            drop(held);
        }
    }
}
