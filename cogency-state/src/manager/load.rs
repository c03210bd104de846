//! Loads typed states, without a lease.

use std::any::TypeId;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::outage::OnOutage;
use super::start::Start;
use super::{StateManager, observed, typed};
use crate::codec::Codec;
use crate::error::Error;
use crate::key::StateKey;
use crate::observe::Clock;
use crate::record::{Metadata, Record, Revision};

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

/// States are private.
impl<T> fmt::Debug for Loaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("revision", &self.revision)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

impl StateManager {
    /// Loads a state; `None` if there is none. Takes no lease and waits for nobody.
    ///
    /// With an [`llm`](crate::StateManagerBuilder::llm) it is the state that a call would begin with:
    /// where another LLM wrote what is stored, [`OnLlmChange`](crate::OnLlmChange) says which. What
    /// cannot be read is an error, also where a call would set it aside.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::SchemaVersion`], [`Error::StateType`] or [`Error::Decode`] if
    /// what is stored cannot be read as a `T`; [`Error::StateVersion`], [`Error::NoMigration`] or
    /// [`Error::Migration`] if it cannot be [brought up to date](crate::Migrations);
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
        let stored = self.load_record(key).await?.map(Box::new);
        let mut start = Start::choose(self, policies, key, stored).await?;
        let versions = self.versions(None, TypeId::of::<T>());
        start.migrate(self, Codec::<T>::new().untyped, &versions).await?;
        let Some(record) = start.record else { return Ok(None) };
        self.read(*record).await.map(Some)
    }

    pub(super) async fn read<T>(&self, record: Record) -> Result<Loaded<T>, Error>
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
        let record = self.load_record(key).await?;
        Ok(record.map(|record| record.metadata))
    }

    /// What is stored, or what this process knows that is to be.
    async fn load_record(&self, key: &StateKey) -> Result<Option<Record>, Error> {
        let clock = Clock::start();
        let loaded = self.find_record(key).await?;
        observed::loaded(self.location(), key, clock, loaded.as_ref());
        Ok(loaded)
    }

    async fn find_record(&self, key: &StateKey) -> Result<Option<Record>, Error> {
        let Some(outage) = &self.inner.outage else { return self.backend().load_state(key).await };
        if let Some(spooled) = outage.spooled(key).await? {
            return Ok(Some(spooled));
        }
        let loaded = match outage.refusal(self, key) {
            Some(refusal) => Err(refusal),
            None => self.backend().load_state(key).await,
        };
        let error = match loaded {
            Err(error) if error.is_outage() => error,
            loaded => return loaded,
        };
        outage.went_away(self, key, &error);
        let known = if outage.policy == OnOutage::Fail { None } else { outage.known(key) };
        known.map(Some).ok_or(error)
    }
}
