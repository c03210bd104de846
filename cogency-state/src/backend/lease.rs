//! The right to be the one that changes a key.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::key::StateKey;

/// The right to be the one that changes a key, until it is released or taken over.
///
/// A copy stands for the same lease.
#[derive(Clone)]
pub struct Lease {
    key: StateKey,
    token: u64,
    guard: Option<Arc<dyn Any + Send + Sync>>,
}

impl Lease {
    /// A lease with its fencing token, which is greater than that of any earlier lease on the key.
    #[must_use]
    pub fn new(key: StateKey, token: u64) -> Self {
        Self { key, token, guard: None }
    }

    /// Attaches what the backend needs at hand while the lease is held, such as an open lock
    /// file. It is dropped with the last copy of the lease.
    #[must_use]
    pub fn with_guard(mut self, guard: Arc<dyn Any + Send + Sync>) -> Self {
        self.guard = Some(guard);
        self
    }

    /// The key that it is on.
    #[must_use]
    pub fn key(&self) -> &StateKey {
        &self.key
    }

    /// The fencing token: a backend refuses a save whose token is not the newest of its key.
    #[must_use]
    pub fn token(&self) -> u64 {
        self.token
    }

    /// What [`with_guard`](Self::with_guard) attached, if it is a `G`.
    #[must_use]
    pub fn guard<G: Any + Send + Sync>(&self) -> Option<Arc<G>> {
        Arc::downcast(Arc::clone(self.guard.as_ref()?)).ok()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("key", &self.key)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// How one try to take a lease ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum LeaseAttempt {
    /// It is the caller's.
    Acquired(Lease),
    /// Somebody else has it.
    Held(Holder),
}

/// Who holds a lease, for messages. Nothing is decided by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Holder {
    /// The process, by the id that its host gave it; 0 if it is not known.
    pub process: u32,
    /// The name of the host that it runs on; empty if it is not known.
    pub host: Cow<'static, str>,
    /// When it asked for the lease, by its own clock.
    pub since: SystemTime,
}

impl Holder {
    /// This process, now.
    #[must_use]
    pub fn current() -> Self {
        static PROCESS: OnceLock<(u32, String)> = OnceLock::new();
        let (process, host) = PROCESS.get_or_init(|| {
            (std::process::id(), gethostname::gethostname().to_string_lossy().into_owned())
        });
        Self { process: *process, host: host.as_str().into(), since: SystemTime::now() }
    }

    /// Somebody, where the backend cannot tell who.
    #[must_use]
    pub fn unknown() -> Self {
        Self { process: 0, host: "".into(), since: SystemTime::UNIX_EPOCH }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.process == 0 {
            return f.write_str("an unknown holder");
        }
        let Self { process, host, since } = self;
        let since = humantime::format_rfc3339_millis(*since);
        write!(f, "process {process} on {host:?} (since {since})")
    }
}
