//! What is written for a conversation that grows from nothing to 300 KB in 500 turns, and what of it
//! is there in the end. Each contestant has a server or a folder to itself.

use std::time::Duration;

use super::{Effort, Medium, opened, player, runtime, samples};
use crate::chat::{Chat, Turn};
use crate::contestant::Contestant;
use crate::media::Place;
use crate::results::{Cell, Written};

const KEY: &str = "alice";
/// After so many turns what was written is looked at.
const STEP: usize = 10;
/// Copies that are written behind the saves are there after so long.
const BEHIND: Duration = Duration::from_millis(1500);

/// `None` where nothing is written.
pub(super) fn of_one(
    medium: &'static Medium,
    contestant: &'static Contestant,
    effort: Effort,
) -> Option<Cell<Written>> {
    let place = match opened(medium) {
        Ok(place) => place,
        Err(problem) => return Some(Err(problem)),
    };
    let count = place.written.as_ref()?;
    let count = || count().map_err(|error| error.to_string());
    Some(of_turns(&place, contestant, effort.turns, count))
}

fn of_turns(
    place: &Place,
    contestant: &Contestant,
    turns: u32,
    count: impl Fn() -> Cell<u64>,
) -> Cell<Written> {
    // As a program: what is written behind the last save is written at its end.
    let runtime = runtime();
    let store = player(&runtime, contestant, place)?;
    let work = |turn: Turn, turns: u32| {
        let store = store.clone();
        let turns = async move { store.turns(KEY, turn, turns).await };
        samples::to_its_end(&runtime, Box::pin(turns))
    };
    let before = count()?;
    let begin = store.clone();
    let begin = async move { begin.first(KEY, &Chat::default()).await };
    samples::to_its_end(&runtime, Box::pin(begin))?;
    let mut after = Vec::new();
    for turn in (0..=turns).step_by(STEP) {
        if turn > 0 {
            work(Chat::long_turn, 10)?;
        }
        after.push((turn, count()?.saturating_sub(before)));
    }
    std::thread::sleep(BEHIND);
    let bytes = count()?.saturating_sub(before);
    let [last, versions] = lengths(turns);
    let stored = || {
        let stored = place.stored.as_ref().ok_or("not known")?;
        stored().map_err(|error| error.to_string())
    };
    let was_stored = stored()?;
    if let Some(compact) = &place.compact {
        compact();
    }
    let compacted = if place.compact.is_some() { stored()? } else { was_stored };
    Ok(Written { after, bytes, last, versions, stored: was_stored, compacted })
}

/// The length of the last version, and of all of them.
fn lengths(turns: u32) -> [u64; 2] {
    let (mut chat, mut last, mut versions) = (Chat::default(), 0, 0);
    for _ in 0..turns {
        chat.long_turn();
        last = chat.json().len() as u64;
        versions += last;
    }
    [last, versions]
}
