//! What an archive holds of histories, and that it fits together.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Archive;
use super::entry::{Id, Kind, Row};
use super::manifest::Manifest;
use super::problem::Problem;
use super::run::checked;
use crate::backend::Verified;
use crate::error::Error;
use crate::history::{Anchor, Audit, Break, Entry, HistoryEntry, HistoryRow, Moment, rebuild};
use crate::key::StateKey;
use crate::manager::StateManager;
use crate::record::Record;

/// A file that has some of a history.
struct Part {
    name: String,
    manifest: Manifest,
    last: u64,
}

impl Archive {
    /// What is archived of a key's history, the newest first.
    ///
    /// # Errors
    /// [`Error::Backend`] if the archive cannot be read, or a file is damaged.
    pub async fn list_history(&self, key: &StateKey) -> Result<Vec<HistoryEntry>, Error> {
        let rows = self.rows(key).await.map_err(|problem| self.failed(problem))?;
        Ok(rows.into_values().rev().map(HistoryRow::told).collect())
    }

    /// The record of a moment, rebuilt from what is archived; `None` if there was none. Ask the
    /// manager's [`History`](crate::History) first: what it has is newer, and only it knows whether a
    /// time is before or after that.
    ///
    /// # Errors
    /// [`Error::NoSuchVersion`] if the archive does not have it, [`Error::HistoryBroken`] if it
    /// cannot be rebuilt, [`Error::Backend`] if the archive cannot be read, or a file is damaged.
    pub async fn load_history(
        &self,
        key: &StateKey,
        moment: impl Into<Moment>,
    ) -> Result<Option<Record>, Error> {
        let moment = moment.into();
        let parts = self.parts(key).await.map_err(|problem| self.failed(problem))?;
        // All that a version is rebuilt from is in one file.
        for part in parts.iter().rev() {
            let rows = self.rows_of(key, part).await.map_err(|problem| self.failed(problem))?;
            let mut entries: Vec<_> = rows.into_iter().map(|row| row.entry).collect();
            if let Some(last) = entries.iter().rposition(|entry| is_meant(entry, moment)) {
                entries.truncate(last + 1);
                return self.rebuilt(key, &entries);
            }
        }
        Err(Error::no_such_version(key, &self.place.location(), moment))
    }

    /// Whether the history of a key is what was written, from the first entry that is archived to
    /// the newest in the backend: also across the border.
    ///
    /// # Errors
    /// [`Error::HistoryBroken`] with the first entry that is wrong, or that is in neither;
    /// [`Error::NoHistory`] if the backend keeps none; [`Error::Backend`] if a file is damaged.
    pub async fn verify_history(
        &self,
        manager: &StateManager,
        key: &StateKey,
    ) -> Result<Verified, Error> {
        let rows = self.rows(key).await.map_err(|problem| self.failed(problem))?;
        let broken = |Break { sequence, reason }| {
            Error::history_broken(key, &self.place.location(), sequence, reason)
        };
        let Some(first) = rows.values().next() else { return manager.history(key).verify().await };
        let mut audit = Audit::new(key, first.before());
        for row in rows.values() {
            audit.check(&row.entry, row.hash).map_err(broken)?;
        }
        let history = manager.history(key);
        let mut verified = history.verify().await?;
        let pruned = verified.pruned.unwrap_or(Anchor::NONE);
        let last = rows.values().next_back().map_or(Anchor::NONE, HistoryRow::place);
        // A run that was killed may have left some of them where they were.
        let both = last.sequence.saturating_sub(pruned.sequence);
        let is_continued = if both == 0 {
            pruned == last
        } else {
            let there = history.list(Some(last.sequence.saturating_add(1)), 1).await?;
            there.first().is_some_and(|entry| entry.hash == last.hash)
        };
        if !is_continued {
            let reason = "what is archived is not continued by what is not";
            return Err(broken(Break::at(last.sequence.saturating_add(1), reason)));
        }
        verified.entries += (rows.len() as u64).saturating_sub(both);
        let before = first.before();
        Ok(verified.with_pruned((before != Anchor::NONE).then_some(before)))
    }

    fn rebuilt(&self, key: &StateKey, entries: &[Entry]) -> Result<Option<Record>, Error> {
        let broken = |sequence, reason: &str| {
            Error::history_broken(key, &self.place.location(), sequence, reason)
        };
        let begin = entries.iter().rposition(Entry::begins_anew).unwrap_or(0);
        let entries = entries.get(begin..).unwrap_or_default();
        let state = rebuild(entries);
        let state = state.map_err(|Break { sequence, reason }| broken(sequence, reason))?;
        let newest = entries.iter().rfind(|entry| entry.has_state());
        let (Some(state), Some(newest)) = (state, newest) else { return Ok(None) };
        newest.record(key, state).map(Some).map_err(|reason| broken(newest.sequence, reason))
    }

    /// All that is archived of a history. Each entry is there once, whatever happened.
    async fn rows(&self, key: &StateKey) -> Result<BTreeMap<u64, HistoryRow>, Problem> {
        let mut rows: BTreeMap<u64, HistoryRow> = BTreeMap::new();
        for part in self.parts(key).await? {
            for row in self.rows_of(key, &part).await? {
                let place = row.place();
                let other = rows.insert(place.sequence, row);
                if other.is_some_and(|other| other.hash != place.hash) {
                    return Err(Problem::TwoHistories);
                }
            }
        }
        Ok(rows)
    }

    /// The files that have some of it, the oldest entries first.
    async fn parts(&self, key: &StateKey) -> Result<Vec<Part>, Problem> {
        let mut parts = Vec::new();
        for (name, manifest) in self.manifests().await? {
            let of_key = manifest.entries.iter().filter(|entry| entry.is_of(Kind::History, key));
            if let Some(last) = of_key.filter_map(|entry| entry.sequence).max() {
                parts.push(Part { name, manifest, last });
            }
        }
        parts.sort_by_key(|part| part.last);
        Ok(parts)
    }

    async fn rows_of(&self, key: &StateKey, part: &Part) -> Result<Vec<HistoryRow>, Problem> {
        let entries = checked(&self.place, &part.name, &part.manifest).await?;
        let is_of = |id: &Id| id.key == *key && matches!(id.row, Row::History(_));
        let rows = entries.iter().filter(|entry| is_of(&entry.id)).map(super::entry::Entry::past);
        rows.collect()
    }
}

/// Whether it left what is meant, or something that was there then.
fn is_meant(entry: &Entry, moment: Moment) -> bool {
    match moment {
        Moment::Version(version) => entry.has_state() && entry.version == version,
        Moment::Entry(sequence) => entry.sequence == sequence,
        Moment::Time(time) => !entry.is_note() && u128::from(entry.at) <= micros(time),
    }
}

fn micros(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros())
}
