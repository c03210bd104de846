//! Typed states over any backend: knows no backend by name.

mod aside;
mod call;
mod check;
mod current;
mod held;
mod history;
mod hold;
mod import;
mod llm;
mod migrations;
mod open_call;
mod policies;
mod queue;
mod renewal;
mod start;
mod switch;
mod to_the_end;
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
use crate::codec::Codec;
use crate::error::Error;
use crate::key::StateKey;
use crate::record::{Metadata, Record, Revision};

pub use call::Call;
pub use check::{CheckFailure, CheckReport};
pub(crate) use current::Attempt;
pub use current::{CurrentCall, current};
pub(crate) use held::HeldKeys;
pub use history::{Difference, History};
use hold::Hold;
pub use import::{ImportOutcome, ImportReport, ImportedFile};
pub use llm::{Llm, LlmChange, LlmMatch, LlmMigration, LlmName, OnLlmChange};
pub use migrations::Migrations;
pub(crate) use open_call::{OpenCall, Terms};
pub use policies::OnUnreadable;
pub(crate) use policies::check_custom;
pub(crate) use queue::Place;
pub use switch::{is_enabled, set_enabled};
pub(crate) use versions::Counted;

use self::policies::{Facts, Policies};
use self::renewal::Renewals;
use self::start::Start;
use self::versions::{OfTypes, Versions};
use self::warm::WarmStates;

const DEFAULT_WAIT: Duration = Duration::from_secs(30);
const DEFAULT_WARM_BYTES: usize = 64 << 20;

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
}

/// A state as it was loaded.
#[non_exhaustive]
pub struct Loaded<T> {
    /// The state.
    pub state: T,
    /// Which save made it: what [`StateManager::save_state`] expects back.
    pub revision: Revision,
    /// What is known about it.
    pub metadata: Metadata,
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

    /// Loads a state; `None` if there is none. Takes no lease and waits for nobody.
    ///
    /// With an [`llm`](StateManagerBuilder::llm) it is the state that a call would begin with:
    /// where another LLM wrote what is stored, [`OnLlmChange`] says which. What cannot be read is
    /// an error, also where a call would set it aside.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::SchemaVersion`], [`Error::StateType`] or [`Error::Decode`] if
    /// what is stored cannot be read as a `T`; [`Error::StateVersion`], [`Error::NoMigration`] or
    /// [`Error::Migration`] if it cannot be [brought up to date](Migrations);
    /// [`Error::OtherLlm`] or [`Error::LlmMigration`] if
    /// another LLM wrote it, [`Error::Backend`] if the backend fails.
    pub async fn load_state<T>(&self, key: &StateKey) -> Result<Option<Loaded<T>>, Error>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        if !self.is_on() {
            return Ok(None);
        }
        let policies = &self.inner.policies;
        policies.check(&self.backend().capabilities(), self.location())?;
        let stored = self.backend().load_state(key).await?.map(Box::new);
        let start = Start::choose(self, policies, key, stored).await?;
        let Some(record) = start.record else { return Ok(None) };
        self.read(*record).await.map(Some)
    }

    async fn read<T>(&self, record: Record) -> Result<Loaded<T>, Error>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let versions = self.versions(None, TypeId::of::<T>());
        let state = typed::read(self, &record, Codec::<T>::new(), &versions).await?;
        Ok(Loaded { state, revision: record.revision, metadata: record.metadata })
    }

    /// What is known about a state, whatever its type; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::SchemaVersion`] if what is stored cannot be read,
    /// [`Error::Backend`] if the backend fails.
    pub async fn load_metadata(&self, key: &StateKey) -> Result<Option<Metadata>, Error> {
        if !self.is_on() {
            return Ok(None);
        }
        let record = self.backend().load_state(key).await?;
        Ok(record.map(|record| record.metadata))
    }

    /// Saves a state over the revision that it was made from; over nothing if `expected` is
    /// `None`. Waits until no call holds the key.
    ///
    /// The state is taken by value because a large one is written on another thread.
    ///
    /// # Errors
    /// [`Error::Conflict`] if something else is stored, [`Error::Corrupt`] or
    /// [`Error::SchemaVersion`] if that cannot be read, [`Error::LeaseTimeout`] if the key was not
    /// free in time, [`Error::Reentrant`] inside a `#[robust]` function that holds the key,
    /// [`Error::Encode`] if the state cannot be kept, [`Error::Config`] if it cannot
    /// [expire](StateManagerBuilder::ttl), [`Error::Backend`] if the backend fails: in all of these
    /// nothing changed. [`Error::OutcomeUnknown`] if it may have.
    ///
    /// A panic of the type's own `Serialize` or `Deserialize` goes on as that panic, on whatever
    /// thread it happened, and nothing changed.
    ///
    /// # Cancellation
    /// Dropped before the save begins, nothing happens. A save that has begun runs to its end.
    pub async fn save_state<T>(
        &self,
        key: &StateKey,
        state: T,
        expected: Option<Revision>,
    ) -> Result<Revision, Error>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let (wait, ttl) = (self.inner.wait, self.ttl(None)?);
        let mut prepared = typed::write(key, Box::new(state), expected, 0).await?;
        if !self.is_on() {
            return Ok(prepared.write.record.revision);
        }
        prepared.write.ttl = ttl;
        prepared.version = self.versions(None, TypeId::of::<T>()).to_write();
        let (hold, stored) = Hold::open(self, self.place(key), wait).await?;
        // What was replaced is known only where it is what was expected.
        let is_expected = stored.as_ref().map(|stored| stored.revision) == expected;
        let (metadata, state) = stored.map(|stored| (stored.metadata, stored.state)).unzip();
        prepared.write.replaced = state.filter(|_| is_expected);
        let mut metadata = metadata.unwrap_or_default();
        Facts::default().stamp(&mut metadata, self.inner.policies.llm.as_ref());
        self.save(hold, prepared, Some(metadata)).await
    }

    /// Deletes a state, also one that cannot be read; `false` if there was none. Waits until no
    /// call holds the key.
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
        self.backend().list_states(user_id).await
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
    /// give `None`, lists are empty, saves succeed and deletes say `false`. The function
    /// [`set_enabled`] does the same for the whole process.
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

    /// Saves what was prepared, with the metadata of what is stored, and remembers what the next
    /// call would load.
    async fn save(
        &self,
        hold: Hold,
        mut prepared: typed::Prepared,
        metadata: Option<Metadata>,
    ) -> Result<Revision, Error> {
        prepared.write.record.metadata = metadata.unwrap_or_default().saved_now();
        prepared.write.record.metadata.state_version = prepared.version;
        let key = prepared.write.record.key.clone();
        let revision = hold.save(prepared.write).await?;
        self.inner.warm.put(key, prepared.warm);
        Ok(revision)
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

/// States are private.
impl<T> fmt::Debug for Loaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("revision", &self.revision)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

/// Settings of a [`StateManager`].
#[derive(Debug)]
pub struct StateManagerBuilder {
    backend: Arc<dyn StateBackend>,
    wait: Duration,
    ttl: Option<Duration>,
    warm_bytes: usize,
    migrations: OfTypes,
    policies: Policies,
    is_enabled: bool,
}

impl StateManagerBuilder {
    /// For a backend that is shared already.
    #[must_use]
    pub fn over(backend: Arc<dyn StateBackend>) -> Self {
        Self {
            backend,
            wait: DEFAULT_WAIT,
            ttl: None,
            warm_bytes: DEFAULT_WARM_BYTES,
            migrations: OfTypes::new(),
            policies: Policies::default(),
            is_enabled: true,
        }
    }

    /// The LLM that calls are made with: its names are recorded with every save, and where another
    /// one wrote what is stored, [`on_llm_change`](Self::on_llm_change) says what happens. The
    /// `llm` of a `#[robust]` function counts more.
    ///
    /// ```
    /// use cogency_state::{MemoryBackend, StateManager};
    ///
    /// let manager = StateManager::builder(MemoryBackend::new()).llm("openai/gpt-5").build();
    /// ```
    #[must_use]
    pub fn llm(mut self, llm: impl Llm) -> Self {
        self.policies.llm = Some(LlmName::of(&llm));
        self
    }

    /// What happens when another LLM wrote what is stored: [`OnLlmChange::Reset`] unless told.
    #[must_use]
    pub fn on_llm_change(mut self, on_llm_change: OnLlmChange) -> Self {
        self.policies.on_llm_change = Some(on_llm_change);
        self
    }

    /// When two LLMs are the same one: [`LlmMatch::Model`] unless told.
    #[must_use]
    pub fn llm_match(mut self, llm_match: LlmMatch) -> Self {
        self.policies.llm_match = Some(llm_match);
        self
    }

    /// What happens to what a call cannot read: [`OnUnreadable::Refuse`] unless told.
    ///
    /// ```
    /// use cogency_state::{MemoryBackend, OnUnreadable, StateManager};
    ///
    /// let manager = StateManager::builder(MemoryBackend::new())
    ///     .on_unreadable(OnUnreadable::Quarantine)
    ///     .build();
    /// ```
    #[must_use]
    pub fn on_unreadable(mut self, on_unreadable: OnUnreadable) -> Self {
        self.policies.on_unreadable = Some(on_unreadable);
        self
    }

    /// Whether the manager is [switched on](StateManager::set_enabled), which it is unless told.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.is_enabled = enabled;
        self
    }

    /// The longest that a call waits for its key, 30 seconds unless told.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// How long after its last save a state expires, by the backend's clock; it stays unless told.
    /// The `ttl` of a `#[robust]` function counts more. An expired state is as if it had never
    /// been; one that a call is at work on does not expire before the call has ended.
    ///
    /// With a ttl of zero, or a backend that [cannot](crate::Capabilities::expiry), every call and
    /// save fails with [`Error::Config`] before it begins.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use cogency_state::{MemoryBackend, StateManager};
    ///
    /// let week = Duration::from_secs(7 * 24 * 60 * 60);
    /// let manager = StateManager::builder(MemoryBackend::new()).ttl(week).build();
    /// ```
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// How many bytes of states, counted as JSON, stay in memory for their next call: 64 MiB
    /// unless told. With 0 every call reads its state anew.
    #[must_use]
    pub fn warm_bytes(mut self, bytes: usize) -> Self {
        self.warm_bytes = bytes;
        self
    }

    /// How older states of a type become those of today: for loads and saves by hand, and for
    /// `#[robust]` functions on this manager that say no `version`.
    ///
    /// ```
    /// use cogency_state::{MemoryBackend, Migrations, StateManager};
    ///
    /// #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// struct Chat {
    ///     turns: Vec<String>,
    /// }
    ///
    /// let migrations = Migrations::new().step(1, |mut old| {
    ///     let lines = old.get_mut("lines").ok_or("it has no lines")?.take();
    ///     Ok(serde_json::json!({ "turns": lines }))
    /// });
    /// let manager =
    ///     StateManager::builder(MemoryBackend::new()).migrations::<Chat>(migrations).build();
    /// ```
    #[must_use]
    pub fn migrations<T: 'static>(mut self, migrations: Migrations) -> Self {
        self.migrations.insert(TypeId::of::<T>(), Arc::new(migrations));
        self
    }

    /// The manager.
    #[must_use]
    pub fn build(self) -> StateManager {
        let Self { backend, wait, ttl, warm_bytes, migrations, policies, is_enabled } = self;
        let location = backend.location().into();
        let warm = WarmStates::new(warm_bytes);
        let is_enabled = AtomicBool::new(is_enabled);
        let renewals = Arc::default();
        let inner = Inner {
            backend,
            location,
            wait,
            ttl,
            migrations,
            policies,
            is_enabled,
            renewals,
            warm,
        };
        StateManager { inner: Arc::new(inner) }
    }
}
