//! Typed states over any backend: knows no backend by name.

mod call;
mod held;
mod hold;
mod open_call;
mod query;
mod queue;
mod renewal;
mod to_the_end;
mod typed;
mod warm;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::StateBackend;
use crate::codec::Codec;
use crate::error::Error;
use crate::key::StateKey;
use crate::record::{Metadata, Revision};

pub use call::Call;
pub(crate) use held::HeldKeys;
use hold::Hold;
pub(crate) use open_call::{OpenCall, Terms};
pub use query::{Query, Rows};
pub(crate) use queue::Place;

use self::renewal::Renewals;
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
    /// # Errors
    /// [`Error::Corrupt`], [`Error::SchemaVersion`], [`Error::StateType`] or [`Error::Decode`] if
    /// what is stored cannot be read as a `T`, [`Error::Backend`] if the backend fails.
    pub async fn load_state<T>(&self, key: &StateKey) -> Result<Option<Loaded<T>>, Error>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let Some(record) = self.backend().load_state(key).await? else { return Ok(None) };
        let (revision, metadata) = (record.revision, record.metadata.clone());
        let state = typed::read(self, &record, Codec::<T>::new()).await?;
        Ok(Some(Loaded { state, revision, metadata }))
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
        prepared.write.ttl = ttl;
        let (hold, stored) = Hold::open(self, self.place(key), wait).await?;
        // What was replaced is known only where it is what was expected.
        let is_expected = stored.as_ref().map(|stored| stored.revision) == expected;
        let (metadata, state) = stored.map(|stored| (stored.metadata, stored.state)).unzip();
        prepared.write.replaced = state.filter(|_| is_expected);
        self.save(hold, prepared, metadata).await
    }

    /// Deletes a state, also one that cannot be read; `false` if there was none. Waits until no
    /// call holds the key.
    ///
    /// # Errors
    /// [`Error::LeaseTimeout`] if the key was not free in time, [`Error::Reentrant`] inside a
    /// `#[robust]` function that holds the key, [`Error::Backend`] if the backend fails: in all of
    /// these nothing changed. [`Error::OutcomeUnknown`] if it may have.
    pub async fn delete_state(&self, key: &StateKey) -> Result<bool, Error> {
        Hold::acquire(self, self.place(key), self.inner.wait).await?.delete().await
    }

    /// The keys of a user that have a state, in order, and no others.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] if the id is none, [`Error::Backend`] if the backend fails.
    pub async fn list_states(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
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

    /// Where the states are and what that place can do.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn StateBackend> {
        &self.inner.backend
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
            let location = &self.inner.location;
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
}

impl StateManagerBuilder {
    /// For a backend that is shared already.
    #[must_use]
    pub fn over(backend: Arc<dyn StateBackend>) -> Self {
        Self { backend, wait: DEFAULT_WAIT, ttl: None, warm_bytes: DEFAULT_WARM_BYTES }
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

    /// The manager.
    #[must_use]
    pub fn build(self) -> StateManager {
        let Self { backend, wait, ttl, warm_bytes } = self;
        let location = backend.location().into();
        let warm = WarmStates::new(warm_bytes);
        let renewals = Arc::default();
        StateManager { inner: Arc::new(Inner { backend, location, wait, ttl, renewals, warm }) }
    }
}
