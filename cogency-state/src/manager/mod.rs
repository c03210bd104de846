//! Typed states over any backend: knows no backend by name.

mod aside;
mod blobs;
mod builder;
mod call;
mod check;
mod current;
mod erase;
mod held;
mod history;
mod hold;
mod import;
mod llm;
mod load;
mod migrations;
mod observed;
mod open_call;
mod outage;
mod policies;
mod query;
mod queue;
mod renewal;
mod save;
mod spool;
mod start;
mod switch;
mod to_the_end;
mod told;
mod typed;
mod versions;
mod warm;

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::StateBackend;
use crate::error::Error;
use crate::key::StateKey;

pub use builder::StateManagerBuilder;
pub use call::Call;
pub use check::{CheckFailure, CheckReport};
pub(crate) use current::Attempt;
pub use current::{CurrentCall, current};
pub(crate) use held::HeldKeys;
pub use history::{Difference, History};
use hold::Hold;
pub use import::{ImportOutcome, ImportReport, ImportedFile};
pub use llm::{Llm, LlmChange, LlmMatch, LlmMigration, LlmName, OnLlmChange};
pub use load::Loaded;
pub use migrations::Migrations;
pub(crate) use open_call::{OpenCall, Terms};
pub use outage::{Health, OnOutage, Outcome, Resolution, Spooled, SpooledKind};
pub use policies::OnUnreadable;
pub(crate) use policies::check_said;
pub use query::{Query, Rows};
pub(crate) use queue::Place;
#[cfg(any(test, fuzzing))]
pub(crate) use spool::fuzz as fuzz_spool;
pub use switch::{is_enabled, set_enabled};
pub(crate) use told::tell;
pub use told::with_outcome;
pub(crate) use versions::Counted;

use self::blobs::Blobs;
use self::outage::{Listeners, Outage};
use self::policies::Policies;
use self::renewal::Renewals;
use self::versions::{OfTypes, Versions};
use self::warm::WarmStates;

/// Loads and saves typed states over a [`StateBackend`]. A clone is the same manager.
///
/// `#[robust]` functions do all of this by themselves; `persist = manager` lets one use this
/// manager.
///
/// ```
/// use cogency_state::{MemoryBackend, StateKey, StateManager};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cogency_state::Error> {
/// let manager = StateManager::new(MemoryBackend::new());
/// let key = StateKey::for_user("alice")?;
///
/// let first = manager.save_state(&key, vec!["hello".to_owned()], None).await?;
/// let mut loaded = manager.load_state::<Vec<String>>(&key).await?.expect("saved above");
/// loaded.state.push("world".to_owned());
/// manager.save_state(&key, loaded.state, Some(loaded.revision)).await?;
///
/// // A save that was made from the first version does not overwrite the second.
/// let stale = manager.save_state(&key, vec!["again".to_owned()], Some(first)).await;
/// assert!(matches!(stale, Err(cogency_state::Error::Conflict { expected: 1, found: 2, .. })));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct StateManager {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Arc<dyn StateBackend>,
    location: Arc<str>,
    wait: Duration,
    ttl: Option<Duration>,
    migrations: OfTypes,
    policies: Policies,
    is_enabled: AtomicBool,
    renewals: Arc<Renewals>,
    warm: WarmStates,
    blobs: Arc<Blobs>,
    /// `None` over a backend that is never out of reach.
    outage: Option<Outage>,
    listeners: Listeners,
}

impl StateManager {
    /// A manager with the defaults.
    pub fn new(backend: impl StateBackend) -> Self {
        Self::builder(backend).build()
    }

    /// A manager with settings of its own.
    pub fn builder(backend: impl StateBackend) -> StateManagerBuilder {
        StateManagerBuilder::over(Arc::new(backend))
    }

    /// Deletes a state, also one that cannot be read; `false` if there was none. Waits until no
    /// call holds the key. What was [set aside](Self::quarantined) of it stays, and comes back when
    /// its LLM does, until it is [dropped](Self::drop_aside); a history stays too. To leave nothing,
    /// [erase](Self::erase) it.
    ///
    /// # Errors
    /// [`Error::LeaseTimeout`] if the key was not free in time, [`Error::Reentrant`] inside a
    /// `#[robust]` function that holds the key, [`Error::Backend`] if the backend fails: in all of
    /// these nothing changed. [`Error::OutcomeUnknown`] if it may have.
    pub async fn delete_state(&self, key: &StateKey) -> Result<bool, Error> {
        if !self.is_on() {
            return Ok(false);
        }
        Hold::acquire(self, self.place(key), self.inner.wait).await?.delete().await
    }

    /// The keys of a user that have a state, in order, and no others.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] if the id is none, [`Error::Backend`] if the backend fails.
    pub async fn list_states(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        if !self.is_on() {
            return Ok(Vec::new());
        }
        let mut keys = self.backend().list_states(user_id).await?;
        if let Some(outage) = &self.inner.outage {
            keys.extend(outage.spooled_keys(user_id).await?);
            keys.sort_unstable();
            keys.dedup();
        }
        Ok(keys)
    }

    /// Begins a call by hand: takes the key's lease and loads its state, or `T::default()`.
    ///
    /// # Errors
    /// As [`load_state`](Self::load_state), and [`Error::LeaseTimeout`] if the key was not free in
    /// time. Inside a `#[robust]` function that holds the key, [`Error::Reentrant`]. Where the state
    /// cannot [expire](StateManagerBuilder::ttl) as it should, [`Error::Config`].
    pub async fn begin<T>(&self, key: &StateKey) -> Result<Call<T>, Error>
    where
        T: Serialize + DeserializeOwned + Default + Send + 'static,
    {
        Call::begin(self, key).await
    }

    /// Switches this manager, with all its clones, on or off, from the next call on; calls that have
    /// begun end as they began.
    ///
    /// Off means that bodies run on fresh states, nothing is stored, and nothing is touched: loads
    /// give `None`, lists are empty, saves succeed, deletes say `false`, and what waits in the
    /// spool goes on waiting. The function [`set_enabled`] does the same for the whole process.
    pub fn set_enabled(&self, enabled: bool) {
        self.inner.is_enabled.store(enabled, Ordering::Relaxed);
    }

    /// Whether this manager is switched on. That the process is, [`is_enabled`] says.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.inner.is_enabled.load(Ordering::Relaxed)
    }

    /// Whether this manager and the process are switched on.
    pub(crate) fn is_on(&self) -> bool {
        self.is_enabled() && is_enabled()
    }

    fn location(&self) -> &str {
        &self.inner.location
    }

    /// Where the states are and what that place can do.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn StateBackend> {
        &self.inner.backend
    }

    fn versions(&self, of_call: Option<Counted>, state_type: TypeId) -> Versions {
        Versions::new(of_call, &self.inner.migrations, state_type)
    }

    /// What calls do when the backend is out of reach, unless they say it themselves.
    fn policy(&self) -> OnOutage {
        self.inner.outage.as_ref().map_or(OnOutage::Fail, |outage| outage.policy)
    }

    fn place(&self, key: &StateKey) -> Place {
        (Arc::clone(&self.inner.location), key.clone())
    }

    /// How long after a save its state expires: what the call says, or else the manager.
    fn ttl(&self, of_call: Option<Duration>) -> Result<Option<Duration>, Error> {
        let Some(ttl) = of_call.or(self.inner.ttl) else { return Ok(None) };
        let refused = |reason| Err(Error::Config { reason });
        if ttl.is_zero() {
            return refused(
                "a state that expires at once is never found again: give a `ttl`".into(),
            );
        }
        if !self.backend().capabilities().expiry {
            let location = self.location();
            return refused(format!(
                "states in {location} cannot expire: leave out the `ttl`, or keep them elsewhere"
            ));
        }
        Ok(Some(ttl))
    }
}

impl fmt::Debug for StateManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateManager")
            .field("location", &self.inner.location)
            .field("wait", &self.inner.wait)
            .field("ttl", &self.inner.ttl)
            .field("is_enabled", &self.is_enabled())
            .field("policies", &self.inner.policies)
            .finish_non_exhaustive()
    }
}
