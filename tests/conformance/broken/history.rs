//! A history, and what can go wrong with it: with one that is a list of what was saved, or with
//! that of the memory backend where an archive asks for it.

use std::time::SystemTime;

use async_trait::async_trait;
use cogency_state::{
    Error, Event, HistoryAnchor, HistoryBackend, HistoryEntry, HistoryHash, HistoryRow, Holder,
    Moment, Record, Retention, StateBackend as _, StateKey, Verified, Write,
};

use super::Broken;
use crate::fault::Fault;

/// What happened, and the record that it left.
pub(super) type Story = Vec<(HistoryEntry, Option<Record>)>;

impl Broken {
    pub(super) fn note_write(&self, key: &StateKey, write: &Write) {
        let write_id = write.record.revision.write_id;
        let story = self.notes().stories.get(key).cloned().unwrap_or_default();
        let is_there = story.last().is_some_and(|(entry, _)| entry.write_id == Some(write_id));
        if !is_there || self.has(Fault::NotesRepeatedSaves) {
            self.note(key, write.action.into(), Some(write.record.clone()));
        }
    }

    pub(super) fn note(&self, key: &StateKey, event: Event, record: Option<Record>) {
        let mut notes = self.notes();
        let story = notes.stories.entry(key.clone()).or_default();
        let sequence = story.len() as u64 + 1;
        let (at, holder) = (SystemTime::now(), Holder::current());
        let hash = HistoryHash::of(&sequence.to_be_bytes());
        let entry = HistoryEntry::new(sequence, event, at, &holder, record.as_ref(), hash);
        story.push((entry, record));
    }

    /// The history of the memory backend.
    fn inner_history(&self) -> &dyn HistoryBackend {
        self.inner.history().unwrap()
    }

    /// Whether the history is one that an archive can ask for.
    fn is_for_archives(&self) -> bool {
        matches!(
            self.fault,
            None | Some(
                Fault::ForgetsHistoriesOfDeletedStates
                    | Fault::ExportsFromTheBeginning
                    | Fault::ExportsWhatHasToStay
                    | Fault::RemovesWhateverStandsThere
            )
        )
    }

    fn story(&self, key: &StateKey) -> Story {
        self.notes().stories.get(key).cloned().unwrap_or_default()
    }
}

#[async_trait]
impl HistoryBackend for Broken {
    async fn list_history(
        &self,
        key: &StateKey,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        if self.is_for_archives() {
            return self.inner_history().list_history(key, before, limit).await;
        }
        let entries = self.story(key).into_iter().rev().map(|(entry, _)| entry);
        let asked = entries.filter(|entry| before.is_none_or(|before| entry.sequence < before));
        Ok(asked.take(limit).collect())
    }

    async fn load_history(&self, key: &StateKey, moment: Moment) -> Result<Option<Record>, Error> {
        if self.is_for_archives() {
            return self.inner_history().load_history(key, moment).await;
        }
        let story = self.story(key);
        let found = story.iter().rfind(|(entry, record)| match moment {
            Moment::Version(_) if self.has(Fault::LoadsTheNewestVersion) => true,
            Moment::Version(version) => record.is_some() && entry.version == version,
            Moment::Entry(sequence) => entry.sequence == sequence,
            Moment::Time(time) => entry.at <= time,
            other => panic!("{other:?}"),
        });
        let found = found.map(|(_, record)| record.clone());
        found.ok_or_else(|| Error::no_such_version(key, "broken:", moment))
    }

    async fn verify_history(&self, key: &StateKey) -> Result<Verified, Error> {
        if self.is_for_archives() {
            return self.inner_history().verify_history(key).await;
        }
        let story = self.story(key);
        let hash = story.last().map(|(entry, _)| entry.hash);
        Ok(Verified::new(story.len() as u64, hash, true))
    }

    async fn prune_history(&self, key: &StateKey, retention: Retention) -> Result<u64, Error> {
        if self.is_for_archives() {
            return self.inner_history().prune_history(key, retention).await;
        }
        let Retention::Versions(versions) = retention else { return Ok(0) };
        let stays = if self.has(Fault::PrunesTooMuch) { versions - 1 } else { versions };
        let mut notes = self.notes();
        let story = notes.stories.entry(key.clone()).or_default();
        let goes = story.len().saturating_sub(usize::try_from(stays).unwrap());
        story.drain(..goes);
        Ok(goes as u64)
    }
    async fn history_keys(
        &self,
        after: Option<&StateKey>,
        limit: usize,
    ) -> Result<Vec<StateKey>, Error> {
        let mut keys = self.inner_history().history_keys(after, limit).await?;
        if self.has(Fault::ForgetsHistoriesOfDeletedStates) {
            let all = self.inner.list_all(None, usize::MAX - 1).await?.keys;
            keys.retain(|key| all.contains(key));
        }
        Ok(keys)
    }

    async fn export_history(
        &self,
        key: &StateKey,
        after: HistoryAnchor,
        stays: Retention,
        limit: usize,
    ) -> Result<Vec<HistoryRow>, Error> {
        let (after, stays) = match self.fault {
            Some(Fault::ExportsFromTheBeginning) => (HistoryAnchor::NONE, stays),
            Some(Fault::ExportsWhatHasToStay) => (after, Retention::Versions(1)),
            _ => (after, stays),
        };
        self.inner_history().export_history(key, after, stays, limit).await
    }

    async fn prune_history_through(
        &self,
        key: &StateKey,
        last: HistoryAnchor,
    ) -> Result<bool, Error> {
        let mut last = last;
        if self.has(Fault::RemovesWhateverStandsThere) {
            let there = self.inner_history().list_history(key, None, 100).await?;
            let there = there.iter().find(|entry| entry.sequence == last.sequence);
            last.hash = there.map_or(last.hash, |entry| entry.hash);
        }
        self.inner_history().prune_history_through(key, last).await
    }
}
