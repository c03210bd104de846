//! A call between its load and its save.

use std::time::Duration;

use super::outage::{Conduct, OnOutage, Outcome};
use super::{Hold, Place, StateManager, typed};
use crate::codec::{AnyState, Codec};
use crate::error::Error;
use crate::key::StateKey;
use crate::record::Record;

/// A key that is held, with what was loaded under it.
#[derive(Debug)]
pub(crate) struct OpenCall {
    manager: StateManager,
    place: Place,
    hold: Hold,
    /// What every attempt starts from, and what the save replaces.
    record: Option<Box<Record>>,
    /// How long after the save the state expires.
    ttl: Option<Duration>,
}

/// What a call says, where it does not leave it to the manager.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terms {
    pub(crate) wait: Option<Duration>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) on_outage: Option<OnOutage>,
}

impl OpenCall {
    /// Waits for the key, takes it, and loads what is stored.
    pub(crate) async fn open(
        manager: StateManager,
        key: &StateKey,
        terms: Terms,
    ) -> Result<Self, Error> {
        let wait = terms.wait.unwrap_or(manager.inner.wait);
        let ttl = manager.ttl(terms.ttl)?;
        let place = manager.place(key);
        let conduct = Conduct::of_call(terms.on_outage.unwrap_or(manager.policy()));
        let opened = Hold::open(&manager, place.clone(), wait, conduct).await;
        let opened = opened.inspect_err(|error| manager.inner.listeners.tell(key, Err(error)));
        let (hold, record) = opened?;
        Ok(Self { manager, place, hold, record, ttl })
    }

    /// The state as it was loaded.
    pub(crate) async fn read<T>(&self, codec: Codec<T>, fresh: fn() -> T) -> Result<T, Error> {
        match &self.record {
            None => Ok(fresh()),
            Some(record) => typed::read(&self.manager, record, codec).await,
        }
    }

    /// Saves a state over the one that was loaded, and gives the key back.
    pub(crate) async fn save(self, state: Box<dyn AnyState>) -> Result<Outcome, Error> {
        let expected = self.record.as_ref().map(|record| record.revision);
        let size_before = self.record.as_ref().map_or(0, |record| record.state.len());
        let prepared = typed::write(self.key(), state, expected, size_before).await;
        let listeners = &self.manager.inner.listeners;
        let mut prepared = prepared.inspect_err(|error| listeners.tell(self.key(), Err(error)))?;
        prepared.write.ttl = self.ttl;
        let (metadata, replaced) =
            self.record.map(|record| (record.metadata, record.state)).unzip();
        prepared.write.replaced = replaced;
        self.manager.save(self.hold, prepared, metadata).await
    }

    /// Gives the key back.
    pub(crate) async fn release(self) {
        self.hold.release().await;
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) fn key(&self) -> &StateKey {
        &self.place.1
    }
}
