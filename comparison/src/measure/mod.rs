//! Measures all contestants of a medium in turn, round after round, so that all see the same machine.

mod latency;
mod own_part;
mod rate;
mod samples;
mod written;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::contestant::{AnyStore, Contestant};
use crate::media::{Medium, Place};
use crate::results::{Cell, OnMedium, Row};

pub(crate) use latency::SIZES as PLOTTED;

/// The sizes of tables.
pub(crate) const KB: usize = 1 << 10;
pub(crate) const SIZES: [usize; 3] = [KB, 64 * KB, 1 << 20];
pub(crate) const LARGE: usize = 8 << 20;
/// How many keys are worked on at once, where it is many.
pub(crate) const KEYS: u32 = 64;

/// How much time there is.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// For all contestants on one medium with states of one size.
    time: Duration,
    /// At least so many rounds.
    rounds: usize,
    /// Turns of a conversation that grows from nothing.
    turns: u32,
}

impl Effort {
    pub(crate) const FULL: Self = Self { time: Duration::from_secs(12), rounds: 9, turns: 500 };
    pub(crate) const QUICK: Self = Self { time: Duration::from_millis(600), rounds: 3, turns: 500 };
}

/// A contestant at work; or why it is not.
type Player = Cell<Arc<dyn AnyStore>>;

pub(crate) fn medium(medium: &'static Medium, effort: Effort) -> OnMedium {
    eprintln!("{}", medium.name);
    let mut rows = Vec::new();
    let about = opened(medium).map(|place| {
        let runtime = runtime();
        let players = players(&runtime, medium, &place);
        let mut latencies = latency::of_all(&runtime, &players, effort).into_iter();
        let mut rates = rate::of_all(&runtime, &players, effort).into_iter();
        eprintln!("  what is written");
        for contestant in medium.contestants {
            let (latency, rate) = (latencies.next(), rates.next());
            rows.push(Row {
                name: contestant.name.into(),
                latency: latency.unwrap_or_default(),
                rate: rate.unwrap_or_default(),
                written: written::of_one(medium, contestant, effort),
            });
        }
        for contestant in medium.writers {
            let written = written::of_one(medium, contestant, effort);
            let name = contestant.name.into();
            rows.push(Row { name, latency: Vec::new(), rate: Vec::new(), written });
        }
        place.about.clone()
    });
    eprintln!("  the store's own part");
    let own = if about.is_ok() { own_part::of_medium(medium, effort) } else { Vec::new() };
    OnMedium { id: medium.id.into(), about, rows, own }
}

fn runtime() -> Runtime {
    Runtime::new().expect("a runtime")
}

/// A server of the tests panics where it cannot be started.
fn opened(medium: &Medium) -> Cell<Place> {
    catch_unwind(AssertUnwindSafe(medium.open)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        text.unwrap_or_else(|| "it does not start".into())
    })
}

fn players(runtime: &Runtime, medium: &'static Medium, place: &Place) -> Vec<Player> {
    medium.contestants.iter().map(|contestant| player(runtime, contestant, place)).collect()
}

fn player(runtime: &Runtime, contestant: &Contestant, place: &Place) -> Player {
    samples::to_its_end(runtime, (contestant.make)(&place.at)).map(Arc::from)
}
