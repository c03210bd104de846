//! What is under each key: a record that may expire, its history, and who holds the key.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::time::Instant as Moment;

use super::story::Story;
use crate::aside::Aside;
use crate::blob::BlobId;
use crate::history::Weight;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::record::{Record, Revision, WriteId};

/// The records that expire, the next one first.
type Expiries = BTreeSet<(Moment, StateKey)>;

/// All keys.
///
/// A record that has expired is removed by whoever meets it: by its key, or with a save or list as
/// the first in the order of expiry. So none outlives its time for long, and no save looks
/// through all of them.
#[derive(Debug, Default)]
pub(super) struct Slots {
    keys: BTreeMap<StateKey, Slot>,
    expiries: Expiries,
    /// What was set aside, in the order in which it was.
    pub(super) asides: Vec<(Aside, Arc<Record>)>,
}

/// One key. It is there for as long as it has a record, a history or blobs, or is held.
#[derive(Debug, Default)]
struct Slot {
    record: Option<Arc<Record>>,
    /// It outlives the record, unless that expires.
    story: Option<Box<Story>>,
    /// When record and history go, by tokio's clock, which a test can set forward.
    expires: Option<Moment>,
    held: Option<Held>,
    blobs: BlobMap,
}

/// Blobs by their ids.
pub(super) type BlobMap = BTreeMap<BlobId, Bytes>;

#[derive(Debug)]
pub(super) struct Held {
    pub(super) token: u64,
    pub(super) holder: Holder,
    pub(super) until: Option<Instant>,
}

impl Held {
    fn is_running(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

impl Slot {
    fn is_empty(&self) -> bool {
        self.is_bare() && self.held.is_none() && self.blobs.is_empty()
    }

    /// Whether nothing is here that could name a blob.
    fn is_bare(&self) -> bool {
        self.record.is_none() && self.story.is_none()
    }

    /// Whether it has expired. A lease that is held keeps it.
    fn is_over(&self) -> bool {
        self.expires.is_some_and(|expires| expires <= Moment::now())
            && !self.held.as_ref().is_some_and(Held::is_running)
    }

    /// Removes what has expired.
    fn clear(&mut self, key: &StateKey, expiries: &mut Expiries) {
        (self.record, self.story) = (None, None);
        self.expire_at(key, None, expiries);
    }

    fn expire_at(&mut self, key: &StateKey, next: Option<Moment>, expiries: &mut Expiries) {
        if let Some(before) = self.expires {
            expiries.remove(&(before, key.clone()));
        }
        expiries.extend(next.map(|next| (next, key.clone())));
        self.expires = next;
    }
}

impl Slots {
    /// Takes a key, and gives the record under it; or gives the holder, if their lease runs.
    pub(super) fn acquire(
        &mut self,
        key: &StateKey,
        held: Held,
    ) -> Result<Option<&Arc<Record>>, &Holder> {
        // What has expired before is not kept by this lease.
        self.forget_if_over(key);
        let slot = self.keys.entry(key.clone()).or_default();
        if slot.held.as_ref().is_some_and(Held::is_running) {
            return slot.held.as_ref().map_or(Ok(None), |held| Err(&held.holder));
        }
        slot.held = Some(held);
        Ok(slot.record.as_ref())
    }

    pub(super) fn release(&mut self, key: &StateKey, token: u64) {
        let Some(slot) = self.keys.get_mut(key) else { return };
        if slot.held.take_if(|held| held.token == token).is_none() {
            return;
        }
        if slot.is_over() {
            slot.clear(key, &mut self.expiries);
        }
        self.tidy(key);
    }

    /// A key that is held under this token.
    pub(super) fn fenced<'a>(&'a mut self, key: &'a StateKey, token: u64) -> Option<Fenced<'a>> {
        let slot = self.keys.get_mut(key)?;
        slot.held.as_ref().filter(|held| held.token == token)?;
        if slot.is_over() {
            slot.clear(key, &mut self.expiries);
        }
        Some(Fenced { key, slot, expiries: &mut self.expiries })
    }

    /// The record under a key.
    pub(super) fn record(&mut self, key: &StateKey) -> Option<&Arc<Record>> {
        self.forget_if_over(key);
        self.keys.get(key)?.record.as_ref()
    }

    /// The record under a key, and what a rebuild of it takes, if its history is up to date.
    pub(super) fn weighed(&mut self, key: &StateKey) -> Option<(Arc<Record>, Weight)> {
        self.forget_if_over(key);
        let Slot { record, story, .. } = self.keys.get(key)?;
        let (record, story) = (record.as_ref()?, story.as_ref()?);
        Some((Arc::clone(record), story.weight_of(record)?))
    }

    /// A copy of the history of a key.
    pub(super) fn story(&mut self, key: &StateKey) -> Story {
        self.story_mut(key).map(|story| story.clone()).unwrap_or_default()
    }

    /// A copy of the history of a key for somebody who will know its hashes, and the write id of
    /// the record that is there.
    pub(super) fn tell(&mut self, key: &StateKey) -> (Story, Option<WriteId>) {
        if let Some(story) = self.story_mut(key) {
            story.tell();
        }
        let stored = self.record(key).map(|record| record.revision.write_id);
        (self.story(key), stored)
    }

    pub(super) fn story_mut(&mut self, key: &StateKey) -> Option<&mut Story> {
        self.forget_if_over(key);
        self.keys.get_mut(key)?.story.as_deref_mut()
    }

    /// Removes a history whose newest entry left a record that is not there any more. Gives the
    /// number of its entries.
    pub(super) fn forget_story(&mut self, key: &StateKey) -> u64 {
        self.forget_if_over(key);
        let Some(slot) = self.keys.get_mut(key).filter(|slot| slot.record.is_none()) else {
            return 0;
        };
        let Some(story) = slot.story.take_if(|story| story.leaves_a_state()) else { return 0 };
        slot.expire_at(key, None, &mut self.expiries);
        if slot.is_empty() {
            self.keys.remove(key);
        }
        story.entries.len() as u64
    }

    /// A user's keys that have a record, in order.
    pub(super) fn keys_of(&mut self, user_id: &str) -> Vec<StateKey> {
        self.sweep();
        let slots = self.keys.iter().filter(|(key, _)| key.user_id() == user_id);
        let there = slots.filter(|(_, slot)| slot.record.is_some() && !slot.is_over());
        there.map(|(key, _)| key.clone()).collect()
    }

    /// At most so many keys that have a record, in order.
    pub(super) fn keys_after(&mut self, after: Option<&StateKey>, most: usize) -> Vec<StateKey> {
        self.some_keys(after, most, |slot| slot.record.is_some())
    }

    /// At most so many keys that have a history, in order.
    pub(super) fn history_keys(&mut self, after: Option<&StateKey>, most: usize) -> Vec<StateKey> {
        self.some_keys(after, most, |slot| slot.story.is_some())
    }

    fn some_keys(
        &mut self,
        after: Option<&StateKey>,
        most: usize,
        is_meant: impl Fn(&Slot) -> bool,
    ) -> Vec<StateKey> {
        self.sweep();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let slots = self.keys.range((from, Bound::Unbounded));
        let there = slots.filter(|(_, slot)| is_meant(slot) && !slot.is_over());
        there.map(|(key, _)| key.clone()).take(most).collect()
    }

    /// Removes all that has expired. What a lease keeps is met when that ends.
    pub(super) fn sweep(&mut self) {
        while self.expiries.first().is_some_and(|(expires, _)| *expires <= Moment::now()) {
            let Some((_, key)) = self.expiries.pop_first() else { return };
            self.forget_if_over(&key);
        }
    }

    fn forget_if_over(&mut self, key: &StateKey) {
        let Some(slot) = self.keys.get_mut(key).filter(|slot| slot.is_over()) else { return };
        slot.clear(key, &mut self.expiries);
        self.tidy(key);
    }

    /// Leaves nothing behind where there is no record: no blobs either, unless something that was
    /// set aside may name them.
    fn tidy(&mut self, key: &StateKey) {
        let Some(slot) = self.keys.get_mut(key) else { return };
        let is_at_rest = slot.is_bare() && slot.held.is_none();
        if is_at_rest && !self.asides.iter().any(|(aside, _)| aside.key == *key) {
            slot.blobs.clear();
        }
        if slot.is_empty() {
            self.keys.remove(key);
        }
    }

    /// The blobs of a key.
    pub(super) fn blobs(&mut self, key: &StateKey) -> Option<&BlobMap> {
        self.forget_if_over(key);
        self.keys.get(key).map(|slot| &slot.blobs)
    }
}

/// A key, to the one who holds it.
pub(super) struct Fenced<'a> {
    key: &'a StateKey,
    slot: &'a mut Slot,
    expiries: &'a mut Expiries,
}

impl<'a> Fenced<'a> {
    pub(super) fn blobs(self) -> &'a mut BlobMap {
        &mut self.slot.blobs
    }
    pub(super) fn record(&self) -> Option<&Arc<Record>> {
        self.slot.record.as_ref()
    }

    pub(super) fn revision(&self) -> Option<Revision> {
        self.record().map(|record| record.revision)
    }

    pub(super) fn replace(&mut self, record: Arc<Record>, expires: Option<Moment>) {
        self.slot.record = Some(record);
        self.slot.expire_at(self.key, expires, self.expiries);
    }

    /// Removes the record, and gives it. Its history stays, until it would have expired.
    pub(super) fn take(&mut self) -> Option<Arc<Record>> {
        let taken = self.slot.record.take();
        if self.slot.story.is_none() {
            self.slot.expire_at(self.key, None, self.expiries);
        }
        taken
    }

    /// The history, to somebody who notes something that the holder of the lease did.
    pub(super) fn note(&mut self, note: impl FnOnce(&mut Story, &Holder)) {
        if let Some(held) = &self.slot.held {
            note(self.slot.story.get_or_insert_default(), &held.holder);
        }
    }

    pub(super) fn renew(&mut self, until: Option<Instant>) {
        if let Some(held) = &mut self.slot.held {
            held.until = until;
        }
    }

    /// Gives a key back that has a record.
    pub(super) fn release(self) {
        self.slot.held = None;
    }
}

#[cfg(test)]
mod tests;
