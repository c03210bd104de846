//! Saves typed states over the revision that they were made from.

use std::any::TypeId;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::hold::Hold;
use super::outage::{Conduct, Outcome};
use super::policies::Facts;
use super::{StateManager, typed};
use crate::error::Error;
use crate::key::StateKey;
use crate::record::{Revision, SavedAt};

impl StateManager {
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
    /// [expire](crate::StateManagerBuilder::ttl), [`Error::Backend`] if the backend fails: in all
    /// of these nothing changed. [`Error::OutcomeUnknown`] if it may have.
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
        let conduct = Conduct::of_save(self.policy());
        let (wait, ttl) = (self.inner.wait, self.ttl(None)?);
        let mut prepared = typed::write(self, key, Box::new(state), expected, 0).await?;
        if !self.is_on() {
            return Ok(prepared.write.record.revision);
        }
        prepared.write.ttl = ttl;
        prepared.version = self.versions(None, TypeId::of::<T>()).to_write();
        let (hold, stored) = Hold::open(self, self.place(key), wait, conduct).await?;
        // What was replaced is known only where it is what was expected.
        let is_expected = stored.as_ref().map(|stored| stored.revision) == expected;
        let (metadata, state) = stored.map(|stored| (stored.metadata, stored.state)).unzip();
        prepared.write.replaced = state.filter(|_| is_expected);
        let mut metadata = metadata.unwrap_or_default();
        Facts::default().stamp(&mut metadata, self.inner.policies.llm.as_ref());
        prepared.write.record.metadata = metadata;
        self.save(hold, prepared).await.map(|outcome| outcome.revision())
    }

    /// Saves what was prepared, now, and remembers what the next call would load.
    pub(super) async fn save(
        &self,
        hold: Box<Hold>,
        mut prepared: typed::Prepared,
    ) -> Result<Outcome, Error> {
        let metadata = &mut prepared.write.record.metadata;
        let before = metadata.blob_ids.take();
        metadata.saved_at = Some(SavedAt::now());
        metadata.state_version = prepared.version;
        let key = prepared.write.record.key.clone();
        let with_blobs = self.with_blobs(&mut prepared.write, prepared.blobs, before);
        if let Err(error) = Box::pin(with_blobs).await {
            self.inner.listeners.tell(&key, Err(&error));
            Box::pin(hold.release()).await;
            return Err(error);
        }
        let outcome = hold.save(prepared.write).await?;
        self.inner.warm.put(key, prepared.warm);
        Ok(outcome)
    }
}
