//! Floors that write only what changed: they hold the last version, and read it from nowhere.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::turned;
use crate::chat::Turn;
use crate::contestant::Outcome;

/// The last version of each state, as JSON.
#[derive(Default)]
pub(super) struct Held(Mutex<HashMap<String, Vec<u8>>>);

impl Held {
    pub(super) fn put(&self, key: &str, json: Vec<u8>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), json);
    }

    /// What a turn makes of a state, and what there is to write.
    pub(super) fn turned(&self, key: &str, turn: Turn) -> Outcome<(Vec<u8>, Vec<u8>)> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = held.remove(key).ok_or("another turn is at it")?;
        drop(held);
        let new = turned(&old, turn)?;
        let change = change(&old, &new);
        Ok((new, change))
    }
}

/// The length of what both begin with, of what both end with, and what stands between.
fn change(old: &[u8], new: &[u8]) -> Vec<u8> {
    let same = |pair: &(&u8, &u8)| pair.0 == pair.1;
    let begin = old.iter().zip(new).take_while(same).count();
    let (old_rest, new_rest) = (&old[begin..], &new[begin..]);
    let end = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(same).count();
    let between = &new_rest[..new_rest.len() - end];
    let mut change = format!("{begin} {end} ").into_bytes();
    change.extend_from_slice(between);
    change
}
