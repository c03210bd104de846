//! Whether the backend is away, so that not every call has to find out.
//!
//! The first call that finds the backend out of reach opens the breaker. From then on no call asks
//! the backend: one task does, again and again, and closes the breaker when it gets an answer.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::error::Error;
use crate::key::StateKey;

#[derive(Debug)]
pub(crate) struct Breaker {
    /// The longest pause between two probes; zero if there is no breaker.
    period: Duration,
    /// Whether there is an `away`, for those who do not want to wait for a lock.
    is_open: AtomicBool,
    away: Mutex<Option<Away>>,
}

/// What is known of a backend that is away.
#[derive(Clone, Debug)]
pub(crate) struct Away {
    pub(crate) since: SystemTime,
    /// What the backend, or the way to it, said last; not about whose state, for others hear it.
    pub(crate) said: String,
    /// The key that could not be reached: to ask for it is the probe.
    pub(crate) key: StateKey,
}

impl Breaker {
    pub(crate) fn new(period: Duration) -> Self {
        Self { period, is_open: AtomicBool::new(false), away: Mutex::default() }
    }

    pub(crate) fn period(&self) -> Duration {
        self.period
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    pub(crate) fn away(&self) -> Option<Away> {
        if !self.is_open() {
            return None;
        }
        self.lock().clone()
    }

    /// Notes that the backend is out of reach; `true` if that is news.
    pub(crate) fn open(&self, key: &StateKey, error: &Error) -> bool {
        if self.period.is_zero() {
            return false;
        }
        let mut said = error.cause();
        let mut away = self.lock();
        let is_new = away.is_none();
        let since = away.as_ref().map_or_else(SystemTime::now, |away| away.since);
        if let Some(away) = away.as_mut().filter(|_| is_refusal(error)) {
            // It says what was said before.
            said = std::mem::take(&mut away.said);
        }
        *away = Some(Away { since, said, key: key.clone() });
        self.is_open.store(true, Ordering::Release);
        is_new
    }

    /// Notes that the backend answers; gives what it was until now.
    pub(crate) fn close(&self) -> Option<Away> {
        if !self.is_open() {
            return None;
        }
        let mut away = self.lock();
        self.is_open.store(false, Ordering::Release);
        away.take()
    }

    /// Why the backend is not asked now.
    pub(crate) fn refusal(&self, key: &StateKey, location: &str) -> Option<Error> {
        let Away { since, said, .. } = self.away()?;
        Some(Error::out_of_reach(Some(key), location, "serve", NotAsked { since, said }))
    }

    /// No code that can panic runs under the lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, Option<Away>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the error is one of the breaker's own.
fn is_refusal(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    source.and_then(|source| source.downcast_ref::<NotAsked>()).is_some()
}

/// The backend was found to be away, and was not asked again. It says nothing of whose call found
/// that out.
#[derive(Debug)]
struct NotAsked {
    since: SystemTime,
    said: String,
}

impl fmt::Display for NotAsked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let away = self.since.elapsed().unwrap_or_default().as_secs();
        write!(
            f,
            "{}; the backend has been out of reach for {away} s, is probed in the background, and \
             is used again as soon as it answers",
            self.said
        )
    }
}

impl std::error::Error for NotAsked {}
