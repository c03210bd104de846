//! What a builder says about outages.

use std::path::PathBuf;
use std::time::Duration;

use super::outcome::{Listeners, Outcome};
use super::{OnOutage, Outage};
use crate::backend::{Sharing, StateBackend};
use crate::error::Error;
use crate::key::StateKey;
use crate::manager::StateManagerBuilder;
use crate::manager::spool::{Limits, Spool};

/// The spool, unless the environment or the builder names another.
const DEFAULT_SPOOL_DIR: &str = ".cogency/spool";
/// The environment variable that names another.
const SPOOL_DIR_VARIABLE: &str = "COGENCY_SPOOL_DIR";

const DEFAULT_SPOOL_BYTES: u64 = 256 << 20;
const DEFAULT_SPOOL_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const DEFAULT_KNOWN_BYTES: usize = 64 << 20;
const DEFAULT_PROBE_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Settings {
    on_outage: OnOutage,
    spool_dir: Option<PathBuf>,
    limits: Limits,
    known_bytes: usize,
    probe_every: Duration,
    pub(crate) listeners: Listeners,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            on_outage: OnOutage::default(),
            spool_dir: None,
            limits: Limits { bytes: DEFAULT_SPOOL_BYTES, age: DEFAULT_SPOOL_AGE },
            known_bytes: DEFAULT_KNOWN_BYTES,
            probe_every: DEFAULT_PROBE_EVERY,
            listeners: Listeners::default(),
        }
    }
}

impl Settings {
    /// What the manager needs for outages; `None` over a backend that has none.
    pub(crate) fn build(&self, backend: &dyn StateBackend) -> Option<Outage> {
        if backend.capabilities().sharing < Sharing::Network {
            return None;
        }
        let folder = self.spool_dir.clone().unwrap_or_else(spool_dir);
        let spool = Spool::new(&folder, backend.location(), self.limits);
        Some(Outage::new(self.on_outage, spool, self.known_bytes, self.probe_every))
    }
}

fn spool_dir() -> PathBuf {
    std::env::var_os(SPOOL_DIR_VARIABLE)
        .filter(|dir| !dir.is_empty())
        .map_or_else(|| DEFAULT_SPOOL_DIR.into(), PathBuf::from)
}

/// What happens when the backend is out of reach.
impl StateManagerBuilder {
    /// What calls do when the backend is out of reach: [`OnOutage::Spool`] unless told. The
    /// `on_outage` of a `#[robust]` function counts more.
    ///
    /// ```
    /// use cogency_state::{MemoryBackend, OnOutage, StateManager};
    ///
    /// let manager = StateManager::builder(MemoryBackend::new()).on_outage(OnOutage::Fail).build();
    /// ```
    #[must_use]
    pub fn on_outage(mut self, on_outage: OnOutage) -> Self {
        self.outage.on_outage = on_outage;
        self
    }

    /// The folder of the spool: what `COGENCY_SPOOL_DIR` says unless told, or else
    /// `.cogency/spool` in the current directory. It is made with the first state that is spooled,
    /// on a disk of this machine's. Where that cannot be done a call that would spool fails with
    /// [`Error::NotSpooled`].
    ///
    /// The processes of one machine that use the same folder see each other's spooled states. It
    /// has to survive a restart: in a container it belongs on a volume, one for each.
    #[must_use]
    pub fn spool_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.outage.spool_dir = Some(folder.into());
        self
    }

    /// How many bytes the spool of this backend takes, with what is in conflict: 256 MiB unless
    /// told. A state that does not fit is refused with [`Error::NotSpooled`]; what is there stays.
    /// Processes that share a folder see what the others add within a second.
    #[must_use]
    pub fn spool_bytes(mut self, bytes: u64) -> Self {
        self.outage.limits.bytes = bytes;
        self
    }

    /// For how long a state may wait in the spool, 7 days unless told. While one has been waiting
    /// for longer no other is taken, with [`Error::NotSpooled`]; what is there stays.
    #[must_use]
    pub fn spool_age(mut self, age: Duration) -> Self {
        self.outage.limits.age = age;
        self
    }

    /// How many bytes of states this process remembers for outages, 64 MiB unless told: what it
    /// saved last under each key, the most recent ones.
    #[must_use]
    pub fn known_bytes(mut self, bytes: usize) -> Self {
        self.outage.known_bytes = bytes;
        self
    }

    /// The longest pause between two looks whether a backend that is away is back, 1 second unless
    /// told. Until then no call asks it. With zero there is no circuit breaker: every call asks
    /// for itself, and waits.
    #[must_use]
    pub fn probe_every(mut self, pause: Duration) -> Self {
        self.outage.probe_every = pause;
        self
    }

    /// Tells what became of each call's state: saved, spooled, or not saved and why. Also that a
    /// call did not begin, and why. For more than one, call it again.
    ///
    /// It runs within the call and must not block.
    ///
    /// ```
    /// use cogency_state::{MemoryBackend, Outcome, StateManager};
    ///
    /// let manager = StateManager::builder(MemoryBackend::new())
    ///     .on_outcome(|key, outcome| match outcome {
    ///         Ok(Outcome::Spooled(_)) => eprintln!("{key} waits for the server"),
    ///         Ok(_) => {}
    ///         Err(error) => eprintln!("{error}"),
    ///     })
    ///     .build();
    /// ```
    #[must_use]
    pub fn on_outcome(
        mut self,
        listener: impl Fn(&StateKey, Result<Outcome, &Error>) + Send + Sync + 'static,
    ) -> Self {
        self.outage.listeners.add(listener);
        self
    }
}
