//! A history as a list, and what can go wrong with it.

use std::time::SystemTime;

use async_trait::async_trait;
use cogency_state::{
    Error, Event, HistoryBackend, HistoryEntry, HistoryHash, Holder, Moment, Record, Retention,
    StateKey, Verified, Write,
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
        let entries = self.story(key).into_iter().rev().map(|(entry, _)| entry);
        let asked = entries.filter(|entry| before.is_none_or(|before| entry.sequence < before));
        Ok(asked.take(limit).collect())
    }

    async fn load_history(&self, key: &StateKey, moment: Moment) -> Result<Option<Record>, Error> {
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
        let story = self.story(key);
        let hash = story.last().map(|(entry, _)| entry.hash);
        Ok(Verified::new(story.len() as u64, hash, true))
    }

    async fn prune_history(&self, key: &StateKey, retention: Retention) -> Result<u64, Error> {
        let Retention::Versions(versions) = retention else { return Ok(0) };
        let stays = if self.has(Fault::PrunesTooMuch) { versions - 1 } else { versions };
        let mut notes = self.notes();
        let story = notes.stories.entry(key.clone()).or_default();
        let goes = story.len().saturating_sub(usize::try_from(stays).unwrap());
        story.drain(..goes);
        Ok(goes as u64)
    }
}
