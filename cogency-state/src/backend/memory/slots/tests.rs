//! What expires, and when it goes.

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
    fenced.replace(Arc::new(record), Some(Moment::now() + TTL));
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
    assert!(slots.fenced(&key(0), 1).unwrap().take().is_some());
    assert!(slots.fenced(&key(0), 1).unwrap().take().is_none());
    assert_eq!(lengths(&slots), (1, 0));
    slots.release(&key(0), 1);
    assert_eq!(lengths(&slots), (0, 0));
}
