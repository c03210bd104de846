//! A call between its load and its save.

use std::any::{Any, TypeId};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::current::Attempt;
use super::outage::{Conduct, OnOutage, Outcome};
use super::policies::{Facts, Policies};
use super::start::Start;
use super::{Counted, Hold, Place, StateManager, typed};
use crate::aside::{Aside, AsideReason};
use crate::codec::{AnyState, Codec};
use crate::error::Error;
use crate::key::StateKey;
use crate::record::Metadata;

/// A key that is held, with what was loaded under it. In a box: it is handed on through many
/// futures.
#[derive(Debug)]
pub(crate) struct OpenCall {
    manager: StateManager,
    place: Place,
    hold: Box<Hold>,
    start: Start,
    /// How long after the save the state expires.
    ttl: Option<Duration>,
    version: Option<Counted>,
    policies: Policies,
    facts: Facts,
}

/// What a call says, where it does not leave it to the manager.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    pub(crate) wait: Option<Duration>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) version: Option<Counted>,
    pub(crate) policies: Policies,
    pub(crate) facts: Facts,
    pub(crate) on_outage: Option<OnOutage>,
}

impl OpenCall {
    /// Waits for the key, takes it, and loads what is stored. The terms come by
    /// reference, so that the future holds them once; afterwards they are empty.
    pub(crate) async fn open(
        manager: StateManager,
        key: &StateKey,
        terms: &mut Terms,
    ) -> Result<Box<Self>, Error> {
        let wait = terms.wait.unwrap_or(manager.inner.wait);
        let tell = |error: &Error| manager.inner.listeners.tell(key, Err(error));
        let ttl = manager.ttl(terms.ttl).inspect_err(tell)?;
        terms.policies = std::mem::take(&mut terms.policies).or(&manager.inner.policies);
        let can = manager.backend().capabilities();
        terms.policies.check(&can, manager.location()).inspect_err(tell)?;
        let place = manager.place(key);
        let conduct = Conduct::of_call(terms.on_outage.unwrap_or(manager.policy()));
        let opened = open(&manager, &place, wait, conduct, &mut terms.policies).await;
        let (hold, start) = opened.inspect_err(tell)?;
        let Terms { version, policies, facts, .. } = std::mem::take(terms);
        Ok(Box::new(Self { manager, place, hold, start, ttl, version, policies, facts }))
    }

    /// The state as it was loaded.
    pub(crate) async fn read<T>(&mut self, codec: Codec<T>, fresh: fn() -> T) -> Result<T, Error> {
        let versions = self.manager.versions(self.version, (codec.untyped.type_id)());
        let migrated = self.start.migrate(&self.manager, codec.untyped, &versions).await;
        let Some(record) = &self.start.record else { return Ok(fresh()) };
        let read = match migrated {
            Ok(()) => typed::read(&self.manager, record, codec, &versions).await,
            Err(error) => Err(error),
        };
        match read.as_ref().err().and_then(AsideReason::of) {
            Some(reason) if self.policies.quarantines() => {
                self.start.leave(reason);
                Ok(fresh())
            }
            _ => read.inspect_err(|error| {
                self.manager.inner.listeners.tell(self.key(), Err(error));
            }),
        }
    }

    /// Saves a state over the one that was loaded, with what the body said of it, and gives the
    /// key back.
    pub(crate) async fn save(
        mut self: Box<Self>,
        state: Box<dyn AnyState>,
        said: Map<String, Value>,
    ) -> Result<Outcome, Error> {
        let size_before = self.start.record.as_ref().map_or(0, |record| record.state.len());
        let latest = self.start.latest();
        let state_type: TypeId = Any::type_id(&*state);
        let prepared = typed::write(&self.manager, self.key(), state, latest, size_before).await;
        let listeners = &self.manager.inner.listeners;
        let mut prepared = prepared.inspect_err(|error| listeners.tell(self.key(), Err(error)))?;
        prepared.write.expected = self.start.expected();
        prepared.write.ttl = self.ttl;
        prepared.version = self.manager.versions(self.version, state_type).to_write();
        prepared.write.action = self.start.action();
        prepared.write.replaced = self.start.replaced();
        let metadata = &mut prepared.write.record.metadata;
        if let Some(record) = self.start.record {
            *metadata = record.metadata;
        }
        self.facts.custom.extend(said);
        self.facts.stamp(metadata, self.policies.llm.as_ref());
        let exchange = self.start.exchange;
        if exchange.is_nothing() {
            return self.manager.save(self.hold, prepared).await;
        }
        Box::pin(exchange.save(self.manager, self.hold, prepared)).await
    }

    /// Gives the key back.
    pub(crate) async fn release(self: Box<Self>) {
        self.hold.release().await;
    }

    /// What the next attempt shows to its body.
    pub(crate) fn attempt(&self) -> Arc<Attempt> {
        Attempt::new(self.key().clone(), self.metadata().cloned())
    }

    /// What was known of the state; `None` where it begins anew.
    pub(crate) fn metadata(&self) -> Option<&Metadata> {
        self.start.record.as_ref().map(|record| &record.metadata)
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) fn key(&self) -> &StateKey {
        &self.place.1
    }
}

/// Takes the key, and sees where to start.
async fn open(
    manager: &StateManager,
    place: &Place,
    wait: Duration,
    conduct: Conduct,
    policies: &mut Policies,
) -> Result<(Box<Hold>, Start), Error> {
    let key = &place.1;
    let (hold, record) = match Hold::open(manager, place.clone(), wait, conduct).await {
        Err(error) if policies.quarantines() && AsideReason::of(&error).is_some() => {
            let hold = Box::pin(Hold::acquire(manager, place.clone(), wait)).await?;
            // Somebody may have seen to it in between.
            match manager.backend().load_state(key).await {
                Ok(record) => (hold, record.map(Box::new)),
                Err(error) => {
                    let Some(reason) = AsideReason::of(&error) else { return Err(error) };
                    return Ok((hold, Start::beside(Aside::new(key.clone(), reason))));
                }
            }
        }
        opened => opened?,
    };
    let resets = policies.resets();
    if hold.lease().is_none() {
        // Nothing can be set aside, nor come back, while the backend is out of reach.
        *policies = std::mem::take(policies).without_aside();
    }
    match Start::choose(manager, policies, key, record).await {
        Err(Error::OtherLlm { stored, .. }) if resets => {
            let reason = format!(
                "it is out of reach, and {stored} wrote the state: call again when it is back, or \
                 with that LLM"
            );
            Err(Error::out_of_reach(Some(key), manager.location(), "set aside the state", reason))
        }
        start => Ok((hold, start?)),
    }
}
