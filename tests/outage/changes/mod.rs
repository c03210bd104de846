//! Random sequences in which LLMs, state types and stored bytes change too, beside outages,
//! restarts and foreign calls: nothing acknowledged is lost, nothing happens twice, and no LLM sees
//! what another one's calls left.
//!
//! ```text
//! COGENCY_OUTAGE_SEQUENCES=100000 cargo test -p cogency-state-tests --release --test outage changes
//! ```

mod ending;
mod notes;
mod world;

use std::collections::BTreeMap;

use fastrand::Rng;

use self::world::World;

const SEQUENCES: u64 = 300;
const STEPS: usize = 25;

/// What has to come up in so many sequences, or they would prove less than they say.
const MUST_HAPPEN: [&str; 10] = [
    "saved",
    "spooled",
    "failed",
    "conflict",
    "migrated",
    "newer version refused",
    "damage refused",
    "damage set aside",
    "LLM aside",
    "seen in full",
];

#[test]
fn whatever_changes_in_random_order_nothing_is_lost_or_doubled_or_shown_to_another_llm() {
    let from_env = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let sequences = from_env("COGENCY_OUTAGE_SEQUENCES").unwrap_or(SEQUENCES);
    let first = from_env("COGENCY_OUTAGE_SEED").unwrap_or_else(|| fastrand::u64(..));
    let mut figures = BTreeMap::new();
    for seed in (0..sequences).map(|nth| first.wrapping_add(nth)) {
        println!("COGENCY_OUTAGE_SEED={seed}");
        for (figure, count) in run(seed) {
            *figures.entry(figure).or_insert(0) += count;
        }
    }
    println!("{sequences} sequences: {figures:?}");
    if sequences >= SEQUENCES {
        let absent: Vec<_> =
            MUST_HAPPEN.iter().filter(|must| !figures.contains_key(**must)).collect();
        assert!(absent.is_empty(), "never happened: {absent:?}");
    }
}

/// One sequence, on a clock that waits for nobody.
fn run(seed: u64) -> BTreeMap<&'static str, u64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut random = Rng::with_seed(seed);
        let mut world = World::new(&mut random);
        for _ in 0..STEPS {
            world.step(&mut random).await;
        }
        world.check().await;
        world.figures
    })
}
