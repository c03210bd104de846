//! Rounds of samples.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::{Effort, Player};
use crate::contestant::{BoxFuture, Outcome};
use crate::results::{Cell, OfSize, Spread};

/// What takes longer than this will not end.
const PATIENCE: Duration = Duration::from_mins(2);

/// Runs work to its end; a panic and a hang are failures as any other.
pub(super) fn to_its_end<T: Send + 'static>(
    runtime: &Runtime,
    work: BoxFuture<'static, Outcome<T>>,
) -> Cell<T> {
    runtime.block_on(async {
        let mut task = tokio::spawn(work);
        match tokio::time::timeout(PATIENCE, &mut task).await {
            Ok(Ok(outcome)) => outcome.map_err(|error| error.to_string()),
            Ok(Err(panic)) => Err(panic.to_string()),
            Err(_) => {
                task.abort();
                Err(format!("it did not end within {PATIENCE:?}"))
            }
        }
    })
}

/// Samples of all players in turn, each round begun by another one. Who fails is left out from then
/// on, and says why.
pub(super) fn of_all(
    players: &[Player],
    effort: Effort,
    mut prepare: impl FnMut(&Player) -> Cell<()>,
    mut sample: impl FnMut(&Player) -> Cell<f64>,
) -> Vec<Cell<Spread>> {
    let mut samples: Vec<Cell<Vec<f64>>> = Vec::new();
    for player in players {
        // The first time warms up.
        let ready = prepare(player).and_then(|()| sample(player));
        samples.push(ready.map(|_| Vec::new()));
    }
    let begun = Instant::now();
    for round in 0.. {
        if round >= effort.rounds && begun.elapsed() > effort.time {
            break;
        }
        for turn in 0..players.len() {
            let nth = (round + turn) % players.len();
            let Ok(values) = &mut samples[nth] else { continue };
            match sample(&players[nth]) {
                Ok(value) => values.push(value),
                Err(problem) => samples[nth] = Err(problem),
            }
        }
    }
    samples.into_iter().map(|values| values.and_then(Spread::of)).collect()
}

/// For each player what was measured of each size.
pub(super) fn by_player(sizes: &[usize], cells: Vec<Vec<Cell<Spread>>>) -> Vec<Vec<OfSize>> {
    let count = cells.first().map_or(0, Vec::len);
    let mut players: Vec<Vec<OfSize>> = (0..count).map(|_| Vec::new()).collect();
    for (&bytes, cells) in sizes.iter().zip(cells) {
        for (player, cell) in players.iter_mut().zip(cells) {
            player.push(OfSize { bytes, cell });
        }
    }
    players
}
