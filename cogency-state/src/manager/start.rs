//! What the attempts of a call start from, and what its save does to what is stored.

use bytes::Bytes;

use super::StateManager;
use super::aside::Exchange;
use super::llm::{LlmChange, LlmMigration, LlmName, OnLlmChange};
use super::policies::Policies;
use super::typed;
use super::versions::Versions;
use crate::aside::{Aside, AsideReason};
use crate::backend::Action;
use crate::codec::Untyped;
use crate::error::Error;
use crate::key::StateKey;
use crate::record::{Record, Revision, version_of};

/// Where a call starts.
#[derive(Debug, Default)]
pub(crate) struct Start {
    /// What every attempt starts from; `None`: the state begins anew.
    pub(crate) record: Option<Box<Record>>,
    /// What is stored under the key, as it was found.
    stored: Option<(Revision, Bytes)>,
    /// What has to be done before the state is read.
    llm_change: Option<(LlmMigration, LlmChange)>,
    /// What goes aside with the save, and what comes back.
    pub(crate) exchange: Exchange,
}

impl Start {
    /// At what is stored.
    fn at(record: Option<Box<Record>>) -> Self {
        let stored = record.as_ref().map(|record| (record.revision, record.state.clone()));
        Self { record, stored, ..Self::default() }
    }

    /// Anew, beside something that could not be read.
    pub(crate) fn beside(aside: Aside) -> Self {
        let exchange = Exchange { leaves: Some(Box::new(aside)), comes_back: None };
        Self { exchange, ..Self::default() }
    }

    /// Where a call with these policies starts, when this is stored.
    pub(crate) async fn choose(
        manager: &StateManager,
        policies: &Policies,
        key: &StateKey,
        stored: Option<Box<Record>>,
    ) -> Result<Self, Error> {
        let Some(llm) = policies.llm() else { return Ok(Self::at(stored)) };
        let by = policies.llm_match.unwrap_or_default();
        let change = stored.as_ref().map(|record| by.change(&record.metadata, llm));
        match (stored, change.flatten()) {
            (None, _) => {
                Box::pin(Self::at(None).or_what_comes_back(manager, policies, key, llm)).await
            }
            (stored, None) => Ok(Self::at(stored)),
            (Some(record), Some(change)) => match &policies.on_llm_change {
                Some(OnLlmChange::Keep) => Ok(Self::at(Some(record))),
                Some(OnLlmChange::Refuse) => Err(change.refused(key, manager.location())),
                Some(OnLlmChange::Migrate(migration)) => {
                    let llm_change = Some((migration.clone(), change));
                    Ok(Self { llm_change, ..Self::at(Some(record)) })
                }
                None | Some(OnLlmChange::Reset) => {
                    let mut start = Self::at(Some(record));
                    start.leave(AsideReason::Llm);
                    Box::pin(start.or_what_comes_back(manager, policies, key, llm)).await
                }
            },
        }
    }

    /// The same, or with the state of this LLM that was set aside when another one came.
    async fn or_what_comes_back(
        mut self,
        manager: &StateManager,
        policies: &Policies,
        key: &StateKey,
        llm: &LlmName,
    ) -> Result<Self, Error> {
        if !policies.resets() {
            return Ok(self);
        }
        let by = policies.llm_match.unwrap_or_default();
        let is_its = |aside: &Aside| {
            let (Some(provider), Some(model)) = (&aside.llm_provider, &aside.llm_model) else {
                return false;
            };
            let stored = LlmName { provider: provider.clone().into(), model: model.clone().into() };
            aside.reason == AsideReason::Llm && aside.key == *key && by.is_same(&stored, llm)
        };
        let asides = manager.backend().list_aside(Some(key.user_id())).await?;
        let Some(aside) = asides.into_iter().rfind(is_its) else { return Ok(self) };
        match manager.backend().load_aside(key, aside.id).await {
            Ok(record) => {
                self.exchange.comes_back = record.is_some().then(|| Box::new(aside));
                self.record = record.map(Box::new);
            }
            Err(error) if AsideReason::of(&error).is_some() => {
                tracing::warn!(%key, %error, "what was set aside cannot be read, and stays there");
            }
            Err(error) => return Err(error),
        }
        Ok(self)
    }

    /// Begins anew instead, and has what is stored set aside with the save.
    pub(crate) fn leave(&mut self, reason: AsideReason) {
        let Some(record) = self.record.take() else { return };
        // What was to come back stays where it is.
        if self.exchange.comes_back.take().is_none() {
            let aside = Aside::new(record.key.clone(), reason);
            let aside = aside.with_metadata(record.revision.version, &record.metadata);
            self.exchange.leaves = Some(Box::new(aside));
        }
    }

    /// Makes the state of another LLM this one's, where that is due: first of all a state of
    /// today's type, which is what the function knows.
    pub(crate) async fn migrate(
        &mut self,
        manager: &StateManager,
        codec: Untyped,
        versions: &Versions,
    ) -> Result<(), Error> {
        let (Some((migration, change)), Some(record)) = (&self.llm_change, &self.record) else {
            return Ok(());
        };
        let (migration, change, record) = (migration.clone(), change.clone(), record.clone());
        let (key, bytes) = (record.key.clone(), record.state.len());
        let (location, versions) = (manager.location().to_owned(), versions.clone());
        let migrating = move || {
            let record = typed::brought_up_to_date(record, &location, codec, &versions)?;
            migration.run(record, &change, &location)
        };
        let migrated = typed::where_it_fits(&key, "migrate", bytes, migrating).await??;
        (self.record, self.llm_change) = (Some(migrated), None);
        Ok(())
    }

    /// The revision that the save replaces.
    pub(crate) fn expected(&self) -> Option<Revision> {
        let stored = self.stored.as_ref().map(|(revision, _)| *revision);
        stored.filter(|_| self.exchange.leaves.is_none())
    }

    /// The revision that the save counts on from: the latest of all that is known.
    pub(crate) fn latest(&self) -> Option<Revision> {
        let stored = self.stored.as_ref().map(|(revision, _)| *revision);
        let started = self.record.as_ref().map(|record| record.revision);
        if version_of(started) > version_of(stored) { started } else { stored }
    }

    /// The state that the save replaces, byte for byte.
    pub(crate) fn replaced(&self) -> Option<Bytes> {
        self.expected()?;
        self.stored.as_ref().map(|(_, state)| state.clone())
    }

    /// What the save does.
    pub(crate) fn action(&self) -> Action {
        let left = self.exchange.leaves.as_ref().map(|aside| aside.reason);
        match (left, &self.exchange.comes_back) {
            (_, Some(_)) => Action::Restore,
            (Some(AsideReason::Llm), None) => Action::Reset,
            _ => Action::Save,
        }
    }
}
