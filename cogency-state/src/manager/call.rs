//! A call by hand, for code that is not one function.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Hold, StateManager, typed};
use crate::codec::Codec;
use crate::error::Error;
use crate::key::StateKey;
use crate::record::Revision;

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
    manager: StateManager,
    key: StateKey,
    hold: Hold,
    /// The record that was loaded.
    base: Option<Revision>,
    size_before: usize,
}

impl<T: Serialize + DeserializeOwned + Default + Send + 'static> Call<T> {
    pub(super) async fn begin(manager: &StateManager, key: &StateKey) -> Result<Self, Error> {
        let (hold, record) =
            Hold::open(manager, manager.place(key), manager.default_wait()).await?;
        let base = record.as_ref().map(|record| record.revision);
        let size_before = record.as_ref().map_or(0, |record| record.state.len());
        let state = match record {
            None => T::default(),
            Some(record) => typed::read(manager, record, Codec::new()).await?,
        };
        Ok(Self { state, manager: manager.clone(), key: key.clone(), hold, base, size_before })
    }

    /// Saves the state and gives the key back.
    ///
    /// # Errors
    /// As [`StateManager::save_state`]. [`Error::LeaseLost`] if somebody else took the key over.
    ///
    /// # Cancellation
    /// Dropped before the save begins, nothing happens. A save that has begun runs to its end.
    pub async fn commit(self) -> Result<Revision, Error> {
        let Self { state, manager, key, hold, base, size_before } = self;
        let prepared = typed::write(&key, Box::new(state), base, size_before).await?;
        manager.save(hold, prepared).await
    }

    /// Forgets the changes and gives the key back, at once: a drop does the same a moment later.
    pub async fn rollback(self) {
        self.hold.release().await;
    }
}

/// States are private.
impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("key", &self.key).finish_non_exhaustive()
    }
}
