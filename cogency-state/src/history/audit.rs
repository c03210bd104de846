//! Whether a history is what was written.

use bytes::Bytes;

use super::digest::HistoryHash;
use super::entry::{Entry, Kind};
use super::event::Event;
use super::head::{Anchor, Head};
use super::rebuild;
use crate::key::StateKey;

/// Goes through a history from its first entry to its last.
pub(crate) struct Audit<'k> {
    key: &'k StateKey,
    /// Where it would stand.
    head: Head,
    /// The newest state, as far as it was rebuilt.
    state: Option<Bytes>,
    /// Whether an entry says what was pruned.
    is_pruning_told: bool,
}

/// Where a history is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Break {
    /// The first entry that is wrong.
    pub(crate) sequence: u64,
    pub(crate) reason: &'static str,
}

impl Break {
    pub(crate) fn at(sequence: u64, reason: &'static str) -> Self {
        Self { sequence, reason }
    }
}

impl<'k> Audit<'k> {
    /// Of a history that was pruned up to there.
    pub(crate) fn new(key: &'k StateKey, pruned: Anchor) -> Self {
        let is_pruning_told = pruned == Anchor::NONE;
        Self { key, head: Head::empty(pruned), state: None, is_pruning_told }
    }

    /// Where the next entry has to stand.
    pub(crate) fn next(&self) -> u64 {
        self.head.sequence.saturating_add(1)
    }

    /// Where it stands by the entries that were looked at.
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// Looks at the next entry, which has this hash.
    pub(crate) fn check(&mut self, entry: &Entry, hash: HistoryHash) -> Result<(), Break> {
        if entry.sequence != self.next() {
            let reason = "it is missing, or another stands in its place";
            return Err(Break::at(self.next(), reason));
        }
        if entry.hash(self.key, self.head.hash) != hash {
            let reason = "it is not what was written, or the one before it is not";
            return Err(Break::at(entry.sequence, reason));
        }
        self.replay(entry)?;
        self.head = self.head.after(entry, hash);
        if Event::from(&*entry.event) == Event::Prune {
            let told = entry.content == self.head.pruned.note().as_bytes();
            self.is_pruning_told |= told;
        }
        Ok(())
    }

    /// That each version can be rebuilt.
    fn replay(&mut self, entry: &Entry) -> Result<(), Break> {
        let Some(state) = rebuild::step(self.state.as_ref(), entry)? else { return Ok(()) };
        if entry.kind != Kind::Gone && !entry.is_of(&state) {
            return Err(Break::at(entry.sequence, "its state is not the one that was saved"));
        }
        self.state = Some(state);
        Ok(())
    }

    /// Compares where the history would stand with where it does, by its head.
    pub(crate) fn finish(&self, stored: Option<&Head>) -> Result<(), Break> {
        let Some(stored) = stored else {
            let is_empty = self.head.sequence == 0;
            return if is_empty { Ok(()) } else { Err(Break::at(1, "the history has no head")) };
        };
        if stored.sequence > self.head.sequence {
            return Err(Break::at(self.next(), "it is missing"));
        }
        if *stored != self.head {
            let reason = "the head of the history does not fit its last entry";
            return Err(Break::at(self.head.sequence, reason));
        }
        if !self.is_pruning_told {
            let reason = "what stood before it was removed, and no entry tells of a pruning";
            return Err(Break::at(self.head.pruned.sequence.saturating_add(1), reason));
        }
        Ok(())
    }
}
