//! The task that waits for the backend's return, and then replays what was spooled.
//!
//! It runs for as long as there is something to wait for, and once when a manager is made: what an
//! earlier run of the program spooled may be there. It does not keep the manager alive.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;

use super::Outage;
use super::replay::{Replayed, replay};
use crate::backend::LeaseAttempt;
use crate::error::Error;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::manager::queue::Ticket;
use crate::manager::{Inner, StateManager};

/// Before the first look; each pause is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause while the backend answers: somebody else is at work on a key, or a state is
/// refused.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The longest pause while the manager or the process is switched off, when nothing is touched.
const LONGEST_PAUSE_OFF: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Recovery {
    is_running: AtomicBool,
    /// Whether there may be something that the task has not seen.
    is_wanted: AtomicBool,
}

impl Recovery {
    /// Sees to it that the task runs.
    pub(super) fn start(&self, manager: &StateManager) {
        self.is_wanted.store(true, Ordering::SeqCst);
        let Ok(runtime) = Handle::try_current() else { return };
        if !self.is_running.swap(true, Ordering::SeqCst) {
            let manager = Arc::downgrade(&manager.inner);
            runtime.spawn(Task { manager, has_ended: false }.run());
        }
    }

    /// Starts the task that could not run: the manager was made outside of a runtime, or the one
    /// that the task was on has ended.
    pub(super) fn catch_up(&self, manager: &StateManager) {
        if self.is_wanted.load(Ordering::Relaxed) && !self.is_running.load(Ordering::Relaxed) {
            self.start(manager);
        }
    }
}

struct Task {
    manager: Weak<Inner>,
    /// Whether it found nothing left to wait for.
    has_ended: bool,
}

/// Also where its runtime ends.
impl Drop for Task {
    fn drop(&mut self) {
        if let Some(inner) = self.manager.upgrade()
            && let Some(outage) = &inner.outage
        {
            if !self.has_ended {
                outage.recovery.is_wanted.store(true, Ordering::SeqCst);
            }
            outage.recovery.is_running.store(false, Ordering::SeqCst);
        }
    }
}

impl Task {
    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            let Some(inner) = self.manager.upgrade() else { return };
            let manager = StateManager { inner };
            let Some(outage) = &manager.inner.outage else { return };
            if !manager.is_on() {
                pause = (pause * 2).min(LONGEST_PAUSE_OFF);
                continue;
            }
            outage.recovery.is_wanted.store(false, Ordering::SeqCst);
            if round(&manager, outage).await {
                break;
            }
            let is_away = outage.breaker.away().is_some();
            let longest = if is_away { outage.breaker.period() } else { LONGEST_PAUSE };
            pause = (pause * 2).min(longest);
        }
        self.has_ended = true;
        let manager = self.manager.upgrade();
        drop(self);
        // What came since the last look.
        if let Some(inner) = manager
            && let Some(outage) = &inner.outage
            && outage.recovery.is_wanted.load(Ordering::SeqCst)
        {
            outage.recovery.start(&StateManager { inner: Arc::clone(&inner) });
        }
    }
}

/// Looks once; `true` if there is nothing left to wait for.
async fn round(manager: &StateManager, outage: &Outage) -> bool {
    if let Some(away) = outage.breaker.away() {
        match probe(manager, &away.key).await {
            Err(error) if error.is_outage() => {
                outage.breaker.open(&away.key, &error);
                return false;
            }
            // An answer, if not the one that was hoped for.
            _ => outage.answered(manager),
        }
    }
    match replay_all(manager, outage).await {
        Ok(left) => left == 0,
        Err(error) => {
            tracing::error!(spool = %outage.spool.path().display(), %error, "the spool is not readable");
            true
        }
    }
}

/// Asks the backend for a key: only who can change something is back.
async fn probe(manager: &StateManager, key: &StateKey) -> Result<(), Error> {
    let backend = manager.backend();
    if let LeaseAttempt::Acquired(lease) = backend.acquire_lease(key, &Holder::current()).await? {
        backend.release_lease(&lease).await?;
    }
    Ok(())
}

/// Replays all that is pending; gives of how many keys something is left.
pub(super) async fn replay_all(manager: &StateManager, outage: &Outage) -> Result<usize, Error> {
    let keys = outage.spool.pending_keys().await.map_err(|error| {
        Error::backend(None, &outage.spool_location(), "list what is pending in", error)
    })?;
    let mut left = 0;
    for (nth, key) in keys.iter().enumerate() {
        let place = manager.place(key);
        // A call that is at work on the key is followed by one that replays it.
        let Ok(_ticket) = Ticket::wait(place, &Holder::current(), Duration::ZERO).await else {
            left += 1;
            continue;
        };
        match replay(manager, key, Duration::ZERO).await {
            Ok(Replayed::All) => {}
            Ok(Replayed::Away(_)) => return Ok(left + keys.len() - nth),
            Ok(Replayed::Busy(_)) => left += 1,
            Err(error) => {
                tracing::error!(%key, %error, "a spooled state was not saved, and is kept");
                left += 1;
            }
        }
    }
    Ok(left)
}
