//! How many saves there are in a second, 64 keys at once.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::latency::first;
use super::samples::{self, to_its_end};
use super::{Effort, KB, KEYS, Player, SIZES};
use crate::chat::Chat;
use crate::results::{Cell, OfSize};

/// How many turns each key has in a sample, by size.
const TURNS: [u32; 3] = [8, 4, 1];

pub(super) fn of_all(runtime: &Runtime, players: &[Player], effort: Effort) -> Vec<Vec<OfSize>> {
    let mut cells = Vec::new();
    for (bytes, turns) in SIZES.into_iter().zip(TURNS) {
        eprintln!("  {KEYS} x {} KB", bytes / KB);
        let chat = Arc::new(Chat::of_bytes(bytes));
        let prepare = |player: &Player| {
            (0..KEYS).try_for_each(|nth| first(runtime, player, &key(bytes, nth), &chat))
        };
        let sample = |player: &Player| rate(runtime, player, bytes, turns);
        cells.push(samples::of_all(players, effort, prepare, sample));
    }
    samples::by_player(&SIZES, cells)
}

fn key(bytes: usize, nth: u32) -> String {
    format!("many-{bytes}-{nth}")
}

/// Saves in a second, each key in a task.
fn rate(runtime: &Runtime, player: &Player, bytes: usize, turns: u32) -> Cell<f64> {
    let store = player.clone()?;
    let all = async move {
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for nth in 0..KEYS {
            let store = Arc::clone(&store);
            tasks.spawn(async move { store.turns(&key(bytes, nth), Chat::turn, turns).await });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(f64::from(KEYS * turns) / begun.elapsed().as_secs_f64())
    };
    to_its_end(runtime, Box::pin(all))
}
