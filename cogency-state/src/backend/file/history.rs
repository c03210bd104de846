//! Histories, as they are read from journals.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use super::FileBackend;
use super::journal::{Damage, Extent, JOURNAL, Journal, Line};
use super::root::Root;
use crate::backend::{HistoryBackend, Verified};
use crate::disk::folder::Folder;
use crate::error::Error;
use crate::history::{
    Anchor, Audit, Break, HistoryEntry, HistoryRow, Kind, Moment, Retention, rebuild,
};
use crate::key::StateKey;
use crate::record::Record;

const READ: &str = "read the history of";

impl Root {
    /// A journal and the folder that it is in. One whose record has expired is none.
    pub(super) fn journal_of(&self, key: &StateKey) -> Result<Option<(Folder, Journal)>, Error> {
        let failed = |error| self.error(Some(key), READ, error);
        let Some(folder) = self.folder_of(key).map_err(failed)? else { return Ok(None) };
        if self.is_over(key, &folder.own, SystemTime::now()) {
            return Ok(None);
        }
        let journal = Journal::open(&folder.own, JOURNAL).map_err(failed)?;
        Ok(journal.map(|journal| (folder.own, journal)))
    }

    fn list_history(
        &self,
        key: &StateKey,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        let damaged = |damage: Damage| damage.into_error(key, &self.location, READ);
        let failed = |error| self.error(Some(key), READ, error);
        let Some((_, journal)) = self.journal_of(key)? else { return Ok(Vec::new()) };
        let mut entries = Vec::new();
        for extent in journal.extents().map_err(damaged)? {
            if entries.len() >= limit {
                break;
            }
            match journal.line(&extent.map_err(failed)?) {
                Ok(line) if before.is_none_or(|before| line.entry.sequence < before) => {
                    entries.push(line.entry.told(line.hash));
                }
                Ok(_) => {}
                Err(damage) => {
                    let error = damage.into_error(key, &self.location, READ);
                    tracing::warn!(%error, "the history is told without it");
                }
            }
        }
        Ok(entries)
    }

    fn load_history(&self, key: &StateKey, moment: Moment) -> Result<Option<Record>, Error> {
        let damaged = |damage: Damage| damage.into_error(key, &self.location, READ);
        let no_such = || Error::no_such_version(key, &self.location, moment);
        let Some((_, journal)) = self.journal_of(key)? else {
            return if matches!(moment, Moment::Time(_)) { Ok(None) } else { Err(no_such()) };
        };
        let broken = |Break { sequence, reason }: Break| {
            Error::history_broken(key, &self.location, sequence, reason)
        };
        let mut search = Search::new(moment);
        for extent in journal.extents().map_err(damaged)? {
            let extent = extent.map_err(|error| self.error(Some(key), READ, error))?;
            if search.take(journal.line(&extent), &extent).map_err(broken)? {
                return self.rebuilt(key, search.lines);
            }
        }
        if let Some(at) = search.damaged {
            return Err(broken(at));
        }
        // Before the first entry there was no state.
        let is_whole = journal.pruned().map_err(damaged)? == Anchor::NONE;
        let was_none = is_whole && matches!(moment, Moment::Time(_));
        if was_none { Ok(None) } else { Err(no_such()) }
    }

    /// The record that the first of these lines left: they stand in the wrong order.
    fn rebuilt(&self, key: &StateKey, mut lines: Vec<Line>) -> Result<Option<Record>, Error> {
        lines.reverse();
        let broken =
            |sequence, reason: &str| Error::history_broken(key, &self.location, sequence, reason);
        let entries: Vec<_> = lines.into_iter().map(|line| line.entry).collect();
        let state = rebuild(&entries);
        let state = state.map_err(|Break { sequence, reason }| broken(sequence, reason))?;
        let newest = entries.iter().rfind(|entry| entry.has_state());
        let (Some(state), Some(newest)) = (state, newest) else { return Ok(None) };
        newest.record(key, state).map(Some).map_err(|reason| broken(newest.sequence, reason))
    }

    fn verify_history(&self, key: &StateKey) -> Result<Verified, Error> {
        let Some((own, journal)) = self.journal_of(key)? else {
            let is_none = self.load(key)?.is_none();
            return Ok(Verified::new(0, None, is_none));
        };
        let damaged = |damage: Damage| damage.into_error(key, &self.location, READ);
        let broken = |Break { sequence, reason }: Break| {
            Error::history_broken(key, &self.location, sequence, reason)
        };
        let extents = journal.extents_forward().map_err(damaged)?;
        let reason = "its line in the journal is not what was written";
        let pruned = journal.pruned().map_err(|_| broken(Break::at(1, reason)))?;
        let mut audit = Audit::new(key, pruned);
        for extent in extents {
            let line = journal.line(&extent);
            let line = line.map_err(|_| broken(Break::at(audit.next(), reason)))?;
            audit.check(&line.entry, line.hash).map_err(broken)?;
        }
        audit.finish(Some(audit.head())).map_err(broken)?;
        let reason = "it is missing, although `state.json` was made of it";
        self.look(key, &own, &journal).map_err(|_| broken(Break::at(audit.next(), reason)))?;
        let head = audit.head();
        let entries = head.sequence - pruned.sequence;
        let pruned = Some(pruned).filter(|pruned| *pruned != Anchor::NONE);
        Ok(Verified::new(entries, Some(head.hash), true).with_pruned(pruned))
    }
}

/// The lines that a version is rebuilt from, found from the end of a journal on.
struct Search {
    moment: Moment,
    /// The newest first.
    lines: Vec<Line>,
    /// The first damage that was met on the way.
    damaged: Option<Break>,
    /// The sequence number of the line that is next.
    due: Option<u64>,
}

impl Search {
    fn new(moment: Moment) -> Self {
        Self { moment, lines: Vec::new(), damaged: None, due: None }
    }

    /// Looks at the next line before. Whether the lines are complete.
    fn take(&mut self, line: Result<Line, Damage>, extent: &Extent) -> Result<bool, Break> {
        let Ok(line) = line else {
            let reason = "its line in the journal is not what was written";
            let at = Break::at(self.due.unwrap_or(0), reason);
            self.due = self.due.map(|due| due.saturating_sub(1));
            if self.lines.is_empty() {
                self.damaged.get_or_insert(at);
                return Ok(false);
            }
            return Err(at);
        };
        self.due = Some(line.entry.sequence.saturating_sub(1));
        if self.lines.is_empty() && !self.is_meant(&line) {
            return Ok(false);
        }
        self.lines.push(line);
        let needs = self.lines.first().map_or(0, |meant| meant.trailer.needs);
        Ok(extent.starts <= needs)
    }

    fn is_meant(&self, line: &Line) -> bool {
        match self.moment {
            Moment::Version(version) => line.entry.has_state() && line.entry.version == version,
            Moment::Entry(sequence) => line.entry.sequence == sequence,
            Moment::Time(time) => line.entry.kind != Kind::Note && line.entry.at <= micros(time),
        }
    }
}

fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[async_trait]
impl HistoryBackend for FileBackend {
    async fn list_history(
        &self,
        key: &StateKey,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        let own_key = key.clone();
        self.blocking(Some(key), move |root| root.list_history(&own_key, before, limit)).await
    }

    async fn load_history(&self, key: &StateKey, moment: Moment) -> Result<Option<Record>, Error> {
        let own_key = key.clone();
        self.blocking(Some(key), move |root| root.load_history(&own_key, moment)).await
    }

    async fn verify_history(&self, key: &StateKey) -> Result<Verified, Error> {
        let own_key = key.clone();
        self.blocking(Some(key), move |root| root.verify_history(&own_key)).await
    }

    async fn prune_history(&self, key: &StateKey, retention: Retention) -> Result<u64, Error> {
        let own_key = key.clone();
        self.blocking(Some(key), move |root| root.prune_history(&own_key, retention)).await
    }

    async fn history_keys(
        &self,
        after: Option<&StateKey>,
        limit: usize,
    ) -> Result<Vec<StateKey>, Error> {
        let after = after.cloned();
        self.blocking(None, move |root| root.history_keys(after.as_ref(), limit)).await
    }

    async fn export_history(
        &self,
        key: &StateKey,
        after: Anchor,
        stays: Retention,
        limit: usize,
    ) -> Result<Vec<HistoryRow>, Error> {
        let own_key = key.clone();
        self.blocking(Some(key), move |root| root.export_history(&own_key, after, stays, limit))
            .await
    }

    async fn prune_history_through(&self, key: &StateKey, last: Anchor) -> Result<bool, Error> {
        let own_key = key.clone();
        self.blocking(Some(key), move |root| root.prune_history_through(&own_key, last)).await
    }
}
