//! What is under each key: a record that may expire, and who holds the key.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Instant;

use tokio::time::Instant as Moment;

use crate::aside::Aside;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::record::{Record, Revision};

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
    pub(super) asides: Vec<(Aside, Record)>,
}

/// One key. It is there for as long as it has a record or is held.
#[derive(Debug, Default)]
struct Slot {
    kept: Option<Kept>,
    held: Option<Held>,
}

#[derive(Debug)]
pub(super) struct Kept {
    pub(super) record: Record,
    /// By tokio's clock, which a test can set forward.
    pub(super) expires: Option<Moment>,
}

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
    fn record(&self) -> Option<&Record> {
        self.kept.as_ref().map(|kept| &kept.record)
    }

    /// Whether its record has expired. A lease that is held keeps it.
    fn is_over(&self) -> bool {
        let expires = self.kept.as_ref().and_then(|kept| kept.expires);
        expires.is_some_and(|expires| expires <= Moment::now())
            && !self.held.as_ref().is_some_and(Held::is_running)
    }

    /// Replaces the record, and gives the one before.
    fn put(
        &mut self,
        key: &StateKey,
        kept: Option<Kept>,
        expiries: &mut Expiries,
    ) -> Option<Record> {
        let next = kept.as_ref().and_then(|kept| kept.expires);
        let replaced = std::mem::replace(&mut self.kept, kept);
        if let Some(expires) = replaced.as_ref().and_then(|kept| kept.expires) {
            expiries.remove(&(expires, key.clone()));
        }
        expiries.extend(next.map(|expires| (expires, key.clone())));
        replaced.map(|kept| kept.record)
    }
}

impl Slots {
    /// Takes a key, and gives the record under it; or gives the holder, if their lease runs.
    pub(super) fn acquire(
        &mut self,
        key: &StateKey,
        held: Held,
    ) -> Result<Option<&Record>, &Holder> {
        // What has expired before is not kept by this lease.
        self.forget_if_over(key);
        let slot = self.keys.entry(key.clone()).or_default();
        if slot.held.as_ref().is_some_and(Held::is_running) {
            return slot.held.as_ref().map_or(Ok(None), |held| Err(&held.holder));
        }
        slot.held = Some(held);
        Ok(slot.record())
    }

    pub(super) fn release(&mut self, key: &StateKey, token: u64) {
        let Some(slot) = self.keys.get_mut(key) else { return };
        if slot.held.take_if(|held| held.token == token).is_none() {
            return;
        }
        if slot.is_over() {
            slot.put(key, None, &mut self.expiries);
        }
        if slot.kept.is_none() {
            self.keys.remove(key);
        }
    }

    /// A key that is held under this token.
    pub(super) fn fenced<'a>(&'a mut self, key: &'a StateKey, token: u64) -> Option<Fenced<'a>> {
        let slot = self.keys.get_mut(key)?;
        slot.held.as_ref().filter(|held| held.token == token)?;
        let mut fenced = Fenced { key, slot, expiries: &mut self.expiries };
        if fenced.slot.is_over() {
            fenced.remove();
        }
        Some(fenced)
    }

    /// The record under a key.
    pub(super) fn record(&mut self, key: &StateKey) -> Option<&Record> {
        self.forget_if_over(key);
        self.keys.get(key)?.record()
    }

    /// A user's keys that have a record, in order.
    pub(super) fn keys_of(&mut self, user_id: &str) -> Vec<StateKey> {
        self.sweep();
        let slots = self.keys.iter().filter(|(key, _)| key.user_id() == user_id);
        let there = slots.filter(|(_, slot)| slot.kept.is_some() && !slot.is_over());
        there.map(|(key, _)| key.clone()).collect()
    }

    /// At most so many keys that have a record, in order.
    pub(super) fn keys_after(&mut self, after: Option<&StateKey>, most: usize) -> Vec<StateKey> {
        self.sweep();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let slots = self.keys.range((from, Bound::Unbounded));
        let there = slots.filter(|(_, slot)| slot.kept.is_some() && !slot.is_over());
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
        slot.put(key, None, &mut self.expiries);
        if slot.held.is_none() {
            self.keys.remove(key);
        }
    }
}

/// A key, to the one who holds it.
pub(super) struct Fenced<'a> {
    key: &'a StateKey,
    slot: &'a mut Slot,
    expiries: &'a mut Expiries,
}

impl Fenced<'_> {
    pub(super) fn revision(&self) -> Option<Revision> {
        self.slot.record().map(|record| record.revision)
    }

    pub(super) fn replace(&mut self, kept: Kept) {
        self.slot.put(self.key, Some(kept), self.expiries);
    }

    /// `false` if there was no record.
    pub(super) fn remove(&mut self) -> bool {
        self.take().is_some()
    }

    /// Removes the record, and gives it.
    pub(super) fn take(&mut self) -> Option<Record> {
        self.slot.put(self.key, None, self.expiries)
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
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::Metadata;

    const TTL: Duration = Duration::from_secs(60);

    fn key(number: u32) -> StateKey {
        StateKey::for_user(number.to_string()).unwrap()
    }

    fn acquire(slots: &mut Slots, key: &StateKey) {
        slots.acquire(key, Held { token: 1, holder: Holder::current(), until: None }).unwrap();
    }

    /// Saves a record under a key that is held, to expire in a minute.
    fn save(slots: &mut Slots, key: &StateKey) {
        let revision = Revision::after(None);
        let record = Record::new(key.clone(), revision, None, Metadata::now(), "1".into());
        slots.sweep();
        let mut fenced = slots.fenced(key, 1).unwrap();
        fenced.replace(Kept { record, expires: Some(Moment::now() + TTL) });
    }

    fn create(slots: &mut Slots, key: &StateKey) {
        acquire(slots, key);
        save(slots, key);
        slots.release(key, 1);
    }

    fn lengths(slots: &Slots) -> (usize, usize) {
        (slots.keys.len(), slots.expiries.len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_save_removes_all_that_has_expired_and_nothing_else() {
        let mut slots = Slots::default();
        (0..100).for_each(|number| create(&mut slots, &key(number)));
        tokio::time::advance(TTL / 2).await;
        (100..200).for_each(|number| create(&mut slots, &key(number)));
        assert_eq!(lengths(&slots), (200, 200));
        tokio::time::advance(TTL / 2).await;
        create(&mut slots, &key(200));
        assert_eq!(lengths(&slots), (101, 101));
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_lease_kept_is_removed_when_it_ends() {
        let mut slots = Slots::default();
        create(&mut slots, &key(0));
        acquire(&mut slots, &key(0));
        tokio::time::advance(TTL).await;
        slots.sweep();
        assert!(slots.record(&key(0)).is_some());
        slots.release(&key(0), 1);
        assert_eq!(lengths(&slots), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_expired_is_removed_by_whoever_looks_for_it() {
        let mut slots = Slots::default();
        create(&mut slots, &key(0));
        create(&mut slots, &key(1));
        tokio::time::advance(TTL).await;
        assert!(slots.record(&key(0)).is_none());
        assert_eq!(lengths(&slots), (1, 1));
        acquire(&mut slots, &key(1));
        assert_eq!(lengths(&slots), (1, 0));
        assert!(slots.fenced(&key(1), 1).unwrap().revision().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn saves_and_deletes_leave_no_expiry_behind() {
        let mut slots = Slots::default();
        acquire(&mut slots, &key(0));
        for _ in 0..3 {
            save(&mut slots, &key(0));
            tokio::time::advance(TTL / 3).await;
        }
        assert_eq!(lengths(&slots), (1, 1));
        assert!(slots.fenced(&key(0), 1).unwrap().remove());
        assert!(!slots.fenced(&key(0), 1).unwrap().remove());
        assert_eq!(lengths(&slots), (1, 0));
        slots.release(&key(0), 1);
        assert_eq!(lengths(&slots), (0, 0));
    }
}
