//! Histories, as they are read: from a copy, so that nobody waits for it.

use async_trait::async_trait;

use super::MemoryBackend;
use super::story::Story;
use crate::backend::history::record_of;
use crate::backend::off_thread::off_thread;
use crate::backend::{HistoryBackend, Verified};
use crate::error::Error;
use crate::history::{
    Anchor, Audit, Break, Export, Head, HistoryEntry, HistoryRow, Moment, Outline, Retention,
};
use crate::key::StateKey;
use crate::record::{Record, WriteId};

impl MemoryBackend {
    /// Looks at a copy of a history whose hashes are told.
    async fn read<R: Send + 'static>(
        &self,
        key: &StateKey,
        look: impl FnOnce(&Story, Option<WriteId>, &StateKey) -> Result<R, Break> + Send + 'static,
    ) -> Result<R, Error> {
        let (story, stored) = self.shared.lock().tell(key);
        let read_key = key.clone();
        let looked = off_thread(move || look(&story, stored, &read_key)).await;
        let location = &self.shared.location;
        looked.map_err(|Break { sequence, reason }| {
            Error::history_broken(key, location, sequence, reason)
        })
    }
}

#[async_trait]
impl HistoryBackend for MemoryBackend {
    async fn list_history(
        &self,
        key: &StateKey,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        self.read(key, move |story, _, key| {
            let hashes = story.hashes(key);
            let newest_first = hashes
                .into_iter()
                .rev()
                .filter(|(noted, _)| before.is_none_or(|before| noted.outline().sequence < before));
            Ok(newest_first.take(limit).map(|(noted, hash)| noted.entry().told(hash)).collect())
        })
        .await
    }

    async fn load_history(&self, key: &StateKey, moment: Moment) -> Result<Option<Record>, Error> {
        let story = self.shared.lock().story(key);
        let (location, key) = (self.shared.location.clone(), key.clone());
        off_thread(move || load(&story, moment, &location, &key)).await
    }

    async fn verify_history(&self, key: &StateKey) -> Result<Verified, Error> {
        self.read(key, |story, stored, key| {
            let stored = stored.map(|stored| stored.to_string());
            let head = audit(story, key)?;
            Ok(Verified::of(head.as_ref(), stored.as_deref()))
        })
        .await
    }

    async fn prune_history(&self, key: &StateKey, retention: Retention) -> Result<u64, Error> {
        let mut slots = self.shared.lock();
        Ok(slots.story_mut(key).map_or(0, |story| story.prune(key, retention)))
    }

    async fn forget_history(&self, key: &StateKey) -> Result<u64, Error> {
        Ok(self.shared.lock().forget_story(key))
    }

    async fn history_keys(
        &self,
        after: Option<&StateKey>,
        limit: usize,
    ) -> Result<Vec<StateKey>, Error> {
        Ok(self.shared.lock().history_keys(after, limit))
    }

    async fn export_history(
        &self,
        key: &StateKey,
        after: Anchor,
        stays: Retention,
        limit: usize,
    ) -> Result<Vec<HistoryRow>, Error> {
        self.read(key, move |story, _, key| export(story, key, after, stays, limit)).await
    }

    async fn prune_history_through(&self, key: &StateKey, last: Anchor) -> Result<bool, Error> {
        let mut slots = self.shared.lock();
        let Some(story) = slots.story_mut(key) else { return Ok(true) };
        if story.pruned.sequence >= last.sequence {
            return Ok(true);
        }
        let hashes = story.hashes(key);
        let found = hashes.iter().find(|(noted, _)| noted.outline().sequence == last.sequence);
        let is_there = found.is_some_and(|(_, hash)| *hash == last.hash);
        if !is_there || !story.outlines().may_end_at(last.sequence) {
            return Ok(false);
        }
        story.prune_through(key, last.sequence);
        Ok(true)
    }
}

fn load(
    story: &Story,
    moment: Moment,
    location: &str,
    key: &StateKey,
) -> Result<Option<Record>, Error> {
    let outlines = story.outlines();
    let Some(sequence) = outlines.of_moment(moment) else {
        // Before the first entry there was no state.
        let was_none = story.pruned == Anchor::NONE && matches!(moment, Moment::Time(_));
        return if was_none {
            Ok(None)
        } else {
            Err(Error::no_such_version(key, location, moment))
        };
    };
    let keyframe = outlines.keyframe(sequence);
    let keyframe = keyframe.ok_or_else(|| Error::no_such_version(key, location, moment))?;
    let needed = keyframe..=sequence;
    let entries = story.entries.iter().filter(|noted| needed.contains(&noted.outline().sequence));
    record_of(&entries.map(|noted| noted.entry()).collect::<Vec<_>>(), location, key)
}

/// That each version can be rebuilt; where the history stands.
fn audit(story: &Story, key: &StateKey) -> Result<Option<Head>, Break> {
    let mut audit = Audit::new(key, story.pruned);
    let mut head = Head::empty(story.pruned);
    for (noted, hash) in story.hashes(key) {
        let entry = noted.entry();
        audit.check(&entry, hash)?;
        head = head.after(&entry, hash);
    }
    let head = (head.sequence > 0).then_some(head);
    audit.finish(head.as_ref())?;
    Ok(head)
}

fn export(
    story: &Story,
    key: &StateKey,
    after: Anchor,
    stays: Retention,
    limit: usize,
) -> Result<Vec<HistoryRow>, Break> {
    let begin = story.pruned.or_later(after);
    let Some(last) = story.outlines().last_to_go(stays, story.now()) else { return Ok(Vec::new()) };
    let mut export = Export::new(key, begin, limit);
    for (noted, hash) in story.hashes(key) {
        let Outline { sequence, .. } = noted.outline();
        let is_due = sequence == export.next() && sequence <= last;
        if is_due && !export.take(noted.entry(), hash)? {
            break;
        }
    }
    Ok(export.finish())
}
