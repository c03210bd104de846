//! A call by hand, for code that is not one function.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::policies::check_said;
use super::{OpenCall, Outcome, StateManager, Terms};
use crate::codec::Codec;
use crate::error::Error;
use crate::key::StateKey;
use crate::record::Metadata;

/// A state that is leased: nobody else changes it until [`commit`](Call::commit),
/// [`rollback`](Call::rollback) or drop.
///
/// Unlike a `#[robust]` function it cannot tell that its own task asks for the key again: that
/// call waits, and ends in [`Error::LeaseTimeout`].
///
/// ```
/// use cogency_state::{MemoryBackend, StateKey, StateManager};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cogency_state::Error> {
/// let manager = StateManager::new(MemoryBackend::new());
/// let mut call = manager.begin::<Vec<String>>(&StateKey::for_user("alice")?).await?;
/// call.state.push("hello".to_owned());
/// call.commit().await?;
/// # Ok(())
/// # }
/// ```
pub struct Call<T> {
    /// The state, to be changed at will.
    pub state: T,
    key: StateKey,
    /// `None` where the manager is switched off.
    open: Option<Box<OpenCall>>,
    said: Map<String, Value>,
}

impl<T: Serialize + DeserializeOwned + Default + Send + 'static> Call<T> {
    pub(super) async fn begin(manager: &StateManager, key: &StateKey) -> Result<Self, Error> {
        let key = key.clone();
        if !manager.is_on() {
            return Ok(Self { state: T::default(), key, open: None, said: Map::new() });
        }
        let mut open = OpenCall::open(manager.clone(), &key, &mut Terms::default()).await?;
        let state = open.read(Codec::new(), T::default).await?;
        Ok(Self { state, key, open: Some(open), said: Map::new() })
    }

    /// What was known of the state when it was loaded; the defaults where it begins anew.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        let loaded = self.open.as_deref().and_then(OpenCall::metadata);
        loaded.cloned().unwrap_or_default()
    }

    /// Says something of the state, as [`CurrentCall::set`](crate::CurrentCall::set) does inside a
    /// function: it is saved with the state.
    ///
    /// # Errors
    /// As [`CurrentCall::set`](crate::CurrentCall::set).
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) -> Result<(), Error> {
        let (name, value) = (name.into(), value.into());
        check_said(&name, &value)?;
        self.said.insert(name, value);
        Ok(())
    }

    /// Saves the state and gives the key back. Says whether it is in the backend, or [spooled] on
    /// this machine because the backend is out of reach.
    ///
    /// [spooled]: crate::OnOutage::Spool
    ///
    /// # Errors
    /// As [`StateManager::save_state`]. [`Error::LeaseLost`] if somebody else took the key over.
    ///
    /// # Cancellation
    /// Dropped before the save begins, nothing happens. A save that has begun runs to its end.
    pub async fn commit(self) -> Result<Outcome, Error> {
        let Some(open) = self.open else { return Ok(Outcome::off()) };
        open.save(Box::new(self.state), self.said).await
    }

    /// Forgets the changes and gives the key back, at once: a drop does the same a moment later.
    pub async fn rollback(self) {
        if let Some(open) = self.open {
            open.release().await;
        }
    }
}

/// States are private.
impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("key", &self.key).finish_non_exhaustive()
    }
}
