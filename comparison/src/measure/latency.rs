//! How long a cycle takes, one key at a time.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Runtime;

use super::samples::{self, to_its_end};
use super::{Effort, KB, LARGE, Player};
use crate::chat::Chat;
use crate::results::{Cell, OfSize};

/// From 1 KB to 8 MB.
pub(crate) const SIZES: [usize; 8] =
    [KB, 4 * KB, 16 * KB, 64 * KB, 256 * KB, 1 << 20, 3 << 20, LARGE];

/// A sample is of so many cycles that the fastest takes about as long: a clock is not exact to less.
const SAMPLE: f64 = 0.001;
const MOST_CYCLES: u32 = 500;

pub(super) fn of_all(runtime: &Runtime, players: &[Player], effort: Effort) -> Vec<Vec<OfSize>> {
    let cells = SIZES.map(|bytes| {
        eprintln!("  {} KB", bytes / KB);
        let (chat, key) = (Arc::new(Chat::of_bytes(bytes)), format!("alone-{bytes}"));
        let cycles = cycles(runtime, players, &format!("first-{bytes}"), &chat);
        let prepare = |player: &Player| first(runtime, player, &key, &chat);
        let sample = |player: &Player| time(runtime, player, &key, cycles);
        samples::of_all(players, effort, prepare, sample)
    });
    samples::by_player(&SIZES, cells.into())
}

fn cycles(runtime: &Runtime, players: &[Player], key: &str, chat: &Arc<Chat>) -> u32 {
    let times = players.iter().filter_map(|player| {
        first(runtime, player, key, chat).ok()?;
        time(runtime, player, key, 3).ok()
    });
    let fastest = times.fold(SAMPLE, f64::min);
    // A small whole number.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let cycles = (SAMPLE / fastest).ceil() as u32;
    cycles.clamp(1, MOST_CYCLES)
}

pub(super) fn first(runtime: &Runtime, player: &Player, key: &str, chat: &Arc<Chat>) -> Cell<()> {
    let (store, key, chat) = (player.clone()?, key.to_owned(), Arc::clone(chat));
    to_its_end(runtime, Box::pin(async move { store.first(&key, &chat).await }))
}

/// Seconds of a cycle.
fn time(runtime: &Runtime, player: &Player, key: &str, cycles: u32) -> Cell<f64> {
    let (store, key) = (player.clone()?, key.to_owned());
    let timed = async move {
        let begun = Instant::now();
        store.turns(&key, Chat::turn, cycles).await?;
        Ok(begun.elapsed().as_secs_f64() / f64::from(cycles))
    };
    to_its_end(runtime, Box::pin(timed))
}
