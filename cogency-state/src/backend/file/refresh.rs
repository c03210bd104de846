//! Copies of records, written behind the saves: current within a second of the last one.
//!
//! A task writes them, as soon as the saves that follow each other closely are over. Dropped before
//! its end, as when its runtime ends, it writes them there and then. Whoever is killed leaves them
//! to the next holder of the key's lease.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::root::Root;
use crate::error::Error;
use crate::key::StateKey;

/// A copy is written as soon as no save came for so long, by a task that looks so often.
const DELAY: Duration = Duration::from_millis(400);
/// The longest that saves which follow each other closely keep a copy from being written.
const LONGEST: Duration = Duration::from_secs(10);
/// A task that is so late belongs to a runtime that nobody runs.
const LATE: Duration = Duration::from_secs(2);

/// How often another process is waited for that writes a copy just now, and how long each time.
const TRIES: usize = 50;
const PAUSE: Duration = Duration::from_millis(1);

/// Keys whose copies are behind.
#[derive(Default)]
pub(super) struct Behind(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    keys: HashMap<StateKey, Saves>,
    /// When the task that will write them is due, if there is one.
    due: Option<Instant>,
}

/// When the saves were that a copy does not have yet.
struct Saves {
    first: Instant,
    last: Instant,
}

impl Saves {
    fn are_due(&self, now: Instant) -> bool {
        now >= self.last + DELAY || now >= self.first + LONGEST
    }
}

impl Behind {
    /// No code that can panic runs under the lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a key. Whether a task has to be started.
    fn note(&self, key: &StateKey) -> bool {
        let mut inner = self.lock();
        let now = Instant::now();
        match inner.keys.get_mut(key) {
            Some(saves) => saves.last = now,
            None => drop(inner.keys.insert(key.clone(), Saves { first: now, last: now })),
        }
        let is_waited_for = inner.due.is_some_and(|due| now < due + LATE);
        if !is_waited_for {
            inner.due = Some(now + DELAY);
        }
        !is_waited_for
    }

    /// Whether there are more. If not the task is over.
    fn wait_again(&self) -> bool {
        let mut inner = self.lock();
        inner.due = (!inner.keys.is_empty()).then(|| Instant::now() + DELAY);
        inner.due.is_some()
    }
}

impl fmt::Debug for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Behind").field(&self.lock().keys.len()).finish()
    }
}

impl Root {
    /// Sees to it that the copy of a key's record is written soon.
    pub(super) fn copy_soon(self: &Arc<Self>, key: &StateKey) {
        if !self.behind.note(key) {
            return;
        }
        let mut task = Task { root: Arc::clone(self), is_over: false };
        // Without a runtime, or with one that ends, all is done when the task is dropped.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { task.run().await });
        }
    }
}

/// Writes copies until none is behind.
struct Task {
    root: Arc<Root>,
    is_over: bool,
}

impl Task {
    async fn run(&mut self) {
        loop {
            tokio::time::sleep(DELAY).await;
            let now = Instant::now();
            let batch = Batch::take(&self.root, |saves| saves.are_due(now));
            // A closure that is never run is dropped, and the batch is done with it.
            let done = tokio::task::spawn_blocking(move || drop(batch)).await;
            if done.is_err() || !self.root.behind.wait_again() {
                self.is_over = done.is_ok();
                return;
            }
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.is_over {
            drop(Batch::take(&self.root, |_| true));
            self.root.behind.lock().due = None;
        }
    }
}

/// Copies that are written when this is dropped, wherever that is.
struct Batch {
    root: Arc<Root>,
    keys: Vec<StateKey>,
}

impl Batch {
    fn take(root: &Arc<Root>, which: impl Fn(&Saves) -> bool) -> Self {
        let mut behind = root.behind.lock();
        let keys = behind.keys.extract_if(|_, saves| which(saves)).map(|(key, _)| key).collect();
        drop(behind);
        Self { root: Arc::clone(root), keys }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        for key in std::mem::take(&mut self.keys) {
            // The next save or holder sees to it: the journal has it all.
            if let Err(error) = self.root.copy_now(&key) {
                tracing::warn!(%error, "the copy is not current; the journal is");
            }
        }
    }
}

impl Root {
    /// Writes a copy, as soon as no other process is at it.
    pub(super) fn copy_now(&self, key: &StateKey) -> Result<(), Error> {
        for _ in 0..TRIES {
            if self.refresh(key)? {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
        let busy = io::Error::other("another process keeps it from being written");
        Err(self.error(Some(key), "write the copy `state.json` of", busy))
    }
}
