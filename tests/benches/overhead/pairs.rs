//! Times one pair after the other and shows the medians.

use std::time::{Duration, Instant};

use criterion::Criterion;
use tokio::runtime::Runtime;

pub(crate) struct Pairs {
    name: String,
    floor: Vec<Duration>,
    call: Vec<Duration>,
    /// How many calls one time is of.
    calls: u32,
}

impl Pairs {
    pub(crate) fn bench(
        criterion: &mut Criterion,
        runtime: &Runtime,
        name: String,
        mut floor: impl AsyncFnMut(),
        mut call: impl AsyncFnMut(),
    ) -> Self {
        let mut pairs = Self { name, floor: Vec::new(), call: Vec::new(), calls: 1 };
        criterion.bench_function(&pairs.name.clone(), |bencher| {
            bencher.iter_custom(|rounds| {
                // All rounds in one task, as in a program.
                runtime.block_on(async {
                    let mut total = Duration::ZERO;
                    for _ in 0..rounds {
                        pairs.floor.push(time(&mut floor).await);
                        let took = time(&mut call).await;
                        pairs.call.push(took);
                        total += took;
                    }
                    total
                })
            });
        });
        pairs
    }

    /// The same for many calls at once: what counts is how many there are in a second.
    pub(crate) fn of_calls(self, calls: u32) -> Self {
        Self { calls, ..self }
    }

    pub(crate) fn print(mut self) {
        if self.floor.is_empty() {
            // The command line asked for others.
            return;
        }
        let (floor, call) = (median(&mut self.floor), median(&mut self.call));
        let (name, ratio) = (self.name, call.as_secs_f64() / floor.as_secs_f64());
        if self.calls == 1 {
            let over = call.saturating_sub(floor);
            println!(
                "{name:<34} floor {floor:>10.2?}   call {call:>10.2?}   {ratio:.3} x   + {over:.2?}"
            );
        } else {
            let per_second = |took: Duration| f64::from(self.calls) / took.as_secs_f64();
            let (floor, call) = (per_second(floor), per_second(call));
            let ratio = call / floor;
            println!("{name:<34} floor {floor:>8.0}/s   call {call:>8.0}/s   {ratio:.3} x");
        }
    }
}

async fn time(act: &mut impl AsyncFnMut()) -> Duration {
    let start = Instant::now();
    act().await;
    start.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
