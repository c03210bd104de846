//! Histories, as they are read.

mod exporting;
mod forgetting;
mod keys;
mod pruning;
mod verifying;

use async_trait::async_trait;

use super::entry::Found;
use super::problem::Failure;
use super::records::Records;
use super::standing::Standing;
use super::{RedisBackend, TRIES};
use crate::backend::history::record_of;
use crate::backend::off_thread::off_thread;
use crate::backend::{HistoryBackend, Verified};
use crate::error::Error;
use crate::history::{
    Anchor, Break, HistoryEntry, HistoryRow, Kind, Moment, Outlines, Retention, micros,
};
use crate::key::StateKey;
use crate::record::Record;

/// So many entries at once, without what is apart.
const PAGE: usize = 256;
/// At most so many are listed at once.
const MAX_LISTED: usize = 10_000;
/// Behind the last entry that there can be.
const BEHIND_ALL: u64 = u64::MAX;

/// What a look at a history found: what was asked for, or where it is not what was written.
type Looked<T> = Result<Result<T, Break>, Failure>;

/// A look at a history, which is begun anew where that went on under way.
struct Look<'k> {
    key: &'k StateKey,
    operation: &'static str,
    tries: usize,
}

impl<'k> Look<'k> {
    fn new(key: &'k StateKey, operation: &'static str) -> Self {
        Self { key, operation, tries: 0 }
    }

    fn failed(&self, records: &Records, failure: Failure) -> Error {
        records.failed(Some(self.key), self.operation, failure)
    }
}

impl Records {
    /// Where a history stands that is about to be looked at.
    async fn stands(&self, look: &Look<'_>) -> Result<Option<Standing>, Error> {
        let standing = self.standing(look.key, true).await;
        let standing = standing.map_err(|failure| look.failed(self, failure))?;
        standing.map_err(|broken| self.broken(look.key, &broken))
    }

    /// What a look found; `None` if it is to be looked at anew, as somebody may have pruned it under
    /// way.
    async fn unless_moved<T>(
        &self,
        look: &mut Look<'_>,
        before: Option<&Standing>,
        looked: Looked<T>,
    ) -> Result<Option<T>, Error> {
        let broken = match looked.map_err(|failure| look.failed(self, failure))? {
            Ok(found) => return Ok(Some(found)),
            Err(broken) => broken,
        };
        look.tries += 1;
        let now =
            self.standing(look.key, true).await.map_err(|failure| look.failed(self, failure))?;
        let is_steady = now.is_ok_and(|now| now.as_ref() == before);
        if is_steady || look.tries == TRIES {
            return Err(self.broken(look.key, &broken));
        }
        Ok(None)
    }

    async fn list_history(
        &self,
        key: &StateKey,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        let (before, limit) = (before.unwrap_or(BEHIND_ALL), limit.min(MAX_LISTED));
        let listed = self.entries_before(key, before, limit).await;
        let listed =
            listed.map_err(|failure| self.failed(Some(key), "list the history of", failure))?;
        let listed = listed.map_err(|broken| self.broken(key, &broken))?;
        Ok(listed.into_iter().map(|found| found.into_row().told()).collect())
    }

    async fn load_history(&self, key: &StateKey, moment: Moment) -> Result<Option<Record>, Error> {
        let no_such = || Error::no_such_version(key, self.location(), moment);
        let mut look = Look::new(key, "read the history of");
        let entries = loop {
            let standing = self.stands(&look).await?;
            let found = self.entries_of(key, standing.as_ref(), moment).await;
            if let Some(entries) = self.unless_moved(&mut look, standing.as_ref(), found).await? {
                break entries;
            }
        };
        let entries = match entries {
            Entries::Of(entries) => entries,
            // Before the first entry there was no state.
            Entries::NeverAny if matches!(moment, Moment::Time(_)) => return Ok(None),
            Entries::NeverAny | Entries::Gone => return Err(no_such()),
        };
        let entries: Vec<_> = entries.into_iter().map(Found::into_entry).collect();
        let (location, key) = (self.location().to_owned(), key.clone());
        off_thread(move || record_of(&entries, &location, &key)).await
    }

    /// The entries that the rebuild of a moment needs.
    async fn entries_of(
        &self,
        key: &StateKey,
        standing: Option<&Standing>,
        moment: Moment,
    ) -> Looked<Entries> {
        let Some(standing) = standing else { return Ok(Ok(Entries::NeverAny)) };
        match self.of_moment(key, moment).await? {
            Ok(Some(found)) => self.needed_for(key, &found).await,
            Ok(None) if standing.pruned().is_none() => Ok(Ok(Entries::NeverAny)),
            Ok(None) => Ok(Ok(Entries::Gone)),
            Err(broken) => Ok(Err(broken)),
        }
    }

    /// The entry that left what was there at a moment.
    async fn of_moment(&self, key: &StateKey, moment: Moment) -> Looked<Option<Found>> {
        let is_meant = |found: &Found| {
            let entry = found.entry();
            match moment {
                Moment::Entry(sequence) => entry.sequence == sequence,
                Moment::Version(version) => entry.has_state() && entry.version == version,
                Moment::Time(time) => entry.kind != Kind::Note && entry.at <= micros(time),
            }
        };
        let mut before = match moment {
            Moment::Entry(sequence) => sequence.saturating_add(1),
            _ => BEHIND_ALL,
        };
        loop {
            let limit = if matches!(moment, Moment::Entry(_)) { 1 } else { PAGE };
            let page = match self.entries_before(key, before, limit).await? {
                Ok(page) => page,
                Err(broken) => return Ok(Err(broken)),
            };
            let is_last = page.len() < limit || limit == 1;
            before = page.last().map_or(0, Found::sequence);
            match page.into_iter().find(is_meant) {
                None if !is_last => {}
                found => return Ok(Ok(found)),
            }
        }
    }

    /// The entries that the rebuild of what one left needs.
    async fn needed_for(&self, key: &StateKey, found: &Found) -> Looked<Entries> {
        let found = match found.clone().standing_truly() {
            Ok(found) => found,
            Err(broken) => return Ok(Err(broken)),
        };
        let (from, to) = (found.keyframe(), found.sequence());
        let bytes = usize::try_from(found.entry().size).unwrap_or(0).saturating_mul(2);
        let entries = match self.whole_entries(key, (from, to), bytes).await? {
            Ok(entries) => entries,
            Err(broken) => return Ok(Err(broken)),
        };
        let is_whole = entries.first().is_some_and(|first| first.sequence() == from)
            && entries.last().is_some_and(|last| last.sequence() == to);
        Ok(if is_whole { Ok(Entries::Of(entries)) } else { Err(Break::at(from, "it is missing")) })
    }

    /// What is known of each entry without what it keeps.
    async fn outlines(&self, key: &StateKey, standing: &Standing) -> Looked<Outlines> {
        let mut all = Vec::new();
        let mut next = standing.head.pruned.sequence.saturating_add(1);
        while next <= standing.head.sequence {
            let page = match self.outlines_from(key, next, standing.head.sequence, PAGE).await? {
                Ok(page) => page,
                Err(broken) => return Ok(Err(broken)),
            };
            if page.is_empty() {
                return Ok(Err(Break::at(next, "it is missing")));
            }
            for outline in page {
                if outline.sequence != next {
                    return Ok(Err(Break::at(next, "it is missing")));
                }
                next += 1;
                all.push(outline);
            }
        }
        Ok(Ok(Outlines(all)))
    }
}

/// What was found of a moment.
enum Entries {
    /// What a rebuild needs.
    Of(Vec<Found>),
    /// There was none, ever.
    NeverAny,
    /// It may have been pruned.
    Gone,
}

#[async_trait]
impl HistoryBackend for RedisBackend {
    async fn list_history(
        &self,
        key: &StateKey,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        self.records.list_history(key, before, limit).await
    }

    async fn load_history(&self, key: &StateKey, moment: Moment) -> Result<Option<Record>, Error> {
        self.records.load_history(key, moment).await
    }

    async fn verify_history(&self, key: &StateKey) -> Result<Verified, Error> {
        self.records.verify_history(key).await
    }

    async fn prune_history(&self, key: &StateKey, retention: Retention) -> Result<u64, Error> {
        self.records.prune_history(key, retention).await
    }

    async fn forget_history(&self, key: &StateKey) -> Result<u64, Error> {
        self.records.forget_history(key).await
    }

    async fn history_keys(
        &self,
        after: Option<&StateKey>,
        limit: usize,
    ) -> Result<Vec<StateKey>, Error> {
        self.records.history_keys(after, limit).await
    }

    async fn export_history(
        &self,
        key: &StateKey,
        after: Anchor,
        stays: Retention,
        limit: usize,
    ) -> Result<Vec<HistoryRow>, Error> {
        self.records.export_history(key, after, stays, limit).await
    }

    async fn prune_history_through(&self, key: &StateKey, last: Anchor) -> Result<bool, Error> {
        self.records.prune_history_through(key, last).await
    }
}
