//! The history of one key, as its states leave it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::noted::{Noted, Saved, with_change};
use crate::backend::Action;
use crate::history::{
    Anchor, Entry, Event, HistoryHash, Kind, Origin, Outline, Outlines, Retention, Weight,
    in_micros, micros,
};
use crate::holder::Holder;
use crate::key::StateKey;
use crate::record::{Record, WriteId};

/// What happened to one state, the oldest first. A copy is cheap.
#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) entries: VecDeque<Arc<Noted>>,
    /// How many of them are of states that were saved.
    versions: u64,
    pub(super) pruned: Anchor,
    /// Whether somebody was told a hash. Before that nobody can tell what the chain began with, and
    /// what is pruned need not be hashed: that would cost a small save more than all else.
    is_told: bool,
    weight: Weight,
}

impl Default for Story {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            versions: 0,
            pruned: Anchor::NONE,
            is_told: false,
            weight: Weight::default(),
        }
    }
}

impl Story {
    /// What a rebuild of this record takes, if it is the newest version.
    pub(super) fn weight_of(&self, record: &Record) -> Option<Weight> {
        let newest = self.newest()?.record()?;
        (newest.revision.write_id == record.revision.write_id).then_some(self.weight)
    }

    /// Whether its newest version is still there, by its entries.
    pub(super) fn leaves_a_state(&self) -> bool {
        self.newest().is_some_and(|newest| newest.outline().kind.has_state())
    }

    /// Notes a record that was saved, as a change of the newest version if there is one.
    pub(super) fn save(
        &mut self,
        holder: &Holder,
        action: Action,
        record: &Arc<Record>,
        change: Option<Bytes>,
    ) {
        let size = record.state.len();
        let (kind, record) = match change {
            Some(change) => (Kind::Change, with_change(record, change)),
            None => (Kind::Keyframe, Arc::clone(record)),
        };
        let (sequence, at) = (self.next(), self.now());
        let saved = Saved { sequence, at, holder: holder.clone(), action, kind, size, record };
        self.push(saved.into());
    }

    /// Notes that there is no state any more, by an id that no other event has.
    pub(super) fn gone(
        &mut self,
        holder: &Holder,
        event: &Event,
        id: String,
        about: Option<String>,
    ) {
        let entry = self.bare(holder, event, id);
        self.push(Entry { kind: Kind::Gone, metadata: about, ..entry }.into());
    }

    /// Removes what need not stay, and gives the number of entries that went.
    pub(super) fn prune(&mut self, key: &StateKey, stays: Retention) -> u64 {
        let last = self.outlines().last_to_go(stays, self.now());
        last.map_or(0, |last| self.prune_through(key, last))
    }

    /// The same after a save, if there is enough to go: not at each, as each leaves a note.
    pub(super) fn prune_behind(&mut self, key: &StateKey, stays: Retention) {
        let is_due = match stays {
            Retention::All => false,
            Retention::Versions(stay) => self.versions > stay.saturating_add(stay / 4),
            Retention::Age(age) => {
                let since = self.now().saturating_sub(in_micros(age));
                let fifth = self.entries.get((self.entries.len() / 5).max(1));
                fifth.is_some_and(|entry| entry.outline().at <= since)
            }
        };
        // Only then may more go than before.
        let is_keyframe = self.newest().is_some_and(|newest| newest.outline().kind.begins_anew());
        if is_due && is_keyframe {
            self.prune(key, stays);
        }
    }

    /// Removes the entries up to this one.
    pub(super) fn prune_through(&mut self, key: &StateKey, last: u64) -> u64 {
        let first = self.pruned.sequence + 1;
        let mut hash = self.pruned.hash;
        while let Some(entry) = self.entries.front()
            && entry.outline().sequence <= last
        {
            if self.is_told {
                hash = entry.hash(key, hash);
            }
            self.versions -= u64::from(entry.outline().kind.has_state());
            self.entries.pop_front();
            self.pruned.sequence += 1;
        }
        self.pruned.hash = hash;
        let id = WriteId::generate().to_string();
        let entry = self.bare(&Holder::current(), &Event::Prune, id);
        self.push(Entry { content: self.pruned.note().into(), ..entry }.into());
        last + 1 - first
    }

    /// What is known of each entry.
    pub(super) fn outlines(&self) -> Outlines {
        Outlines(self.entries.iter().map(|entry| entry.outline()).collect())
    }

    /// From now on its hashes are known.
    pub(super) fn tell(&mut self) {
        self.is_told = true;
    }

    /// All entries with their hashes. It takes as long as there are some that nobody asked for yet.
    pub(super) fn hashes(&self, key: &StateKey) -> Vec<(&Noted, HistoryHash)> {
        let mut hash = self.pruned.hash;
        let hashed = self.entries.iter().map(|entry| {
            hash = entry.hash(key, hash);
            (&**entry, hash)
        });
        hashed.collect()
    }

    fn push(&mut self, noted: Noted) {
        let Outline { kind, .. } = noted.outline();
        let content = noted.record().map_or(0, |record| record.state.len());
        self.weight = self.weight.after(kind, content);
        self.versions += u64::from(kind.has_state());
        self.entries.push_back(Arc::new(noted));
    }

    /// Of an event that leaves the state as it was, whose version it tells.
    fn bare(&self, holder: &Holder, event: &Event, id: String) -> Entry {
        let origin = Origin { at: self.now(), process: holder.process, host: &holder.host };
        let record = self.newest().and_then(|newest| newest.record());
        let version = record.map_or(0, |record| record.revision.version);
        Entry { version, ..Entry::bare(self.next(), event, id, origin) }
    }

    fn newest(&self) -> Option<&Noted> {
        let newest = self.entries.iter().rfind(|entry| entry.outline().kind != Kind::Note);
        newest.map(|entry| &**entry)
    }

    fn next(&self) -> u64 {
        self.pruned.sequence + self.entries.len() as u64 + 1
    }

    /// A time names one version, also where the clock was set back: later than the newest entry.
    pub(super) fn now(&self) -> u64 {
        let newest = self.entries.back().map_or(0, |entry| entry.outline().at.saturating_add(1));
        micros(SystemTime::now()).max(newest)
    }
}
