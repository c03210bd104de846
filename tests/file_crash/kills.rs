//! Writers killed at random moments.
//!
//! ```text
//! COGENCY_KILLS=10000 cargo test -p cogency-state-tests --test file_crash killed_writer
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cogency_state::{FileBackend, StateManager};
use cogency_state_tests::page::Page;

use crate::agent::{span, start};
use crate::place::{Place, block_on, key, names, names_but_copy};

const THREADS: u64 = 4;
/// Unless told otherwise.
const KILLS: u64 = 600;
/// After so many kills of its writer a key is left for a new one, so that first saves are killed
/// too.
const KILLS_OF_A_KEY: u64 = 3;
/// A writer lives until it said up to so many lines, and then up to so long.
const MOST_LINES: usize = 4;
const LONGEST_LIFE: Duration = Duration::from_millis(15);

#[derive(Default)]
struct Figures {
    saves: AtomicU64,
    /// Kills that left a file half written.
    with_litter: AtomicU64,
    /// Kills after which the save that had begun was there, though nobody had been told.
    unacknowledged: AtomicU64,
}

#[test]
fn promise_03_and_04_a_killed_writer_leaves_a_whole_record_no_litter_and_a_free_key() {
    let kills = std::env::var("COGENCY_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let place = Place::new();
    let figures = Figures::default();
    let started = Instant::now();
    thread::scope(|scope| {
        for nth in 0..THREADS {
            let (place, figures) = (&place, &figures);
            scope.spawn(move || kill_writers(place, nth, kills / THREADS, figures));
        }
    });
    let Figures { saves, with_litter, unacknowledged } = figures;
    println!(
        "{kills} kills in {:?}: {saves:?} saves acknowledged, {with_litter:?} kills left a temp \
         file, {unacknowledged:?} left a save that nobody was told of",
        started.elapsed()
    );
    // On a busy machine more of them come before the first save is done.
    assert!(saves.into_inner() > kills / 4 && with_litter.into_inner() > 0, "kills came too early");
    assert!(unacknowledged.into_inner() > 0, "no kill came in the middle of a save");
}

fn kill_writers(place: &Place, thread: u64, kills: u64, figures: &Figures) {
    let mut acknowledged = 0;
    for nth in 0..kills {
        let user = format!("writer-{thread}-{}", nth / KILLS_OF_A_KEY);
        if nth % KILLS_OF_A_KEY == 0 {
            acknowledged = 0;
        }
        acknowledged = kill_one(place, &user, acknowledged, figures);
    }
}

/// The number of the record that is there after a kill, where one of `before` was there before.
fn kill_one(place: &Place, user: &str, before: u64, figures: &Figures) -> u64 {
    let mut writer = start("write", &place.root, &[user]);
    assert_eq!(writer.line(), "ready");
    let seen = writer.say(fastrand::usize(..=MOST_LINES));
    thread::sleep(LONGEST_LIFE.mul_f64(fastrand::f64()));
    let rest = writer.kill();
    let (saved, begun) = span(before, seen.iter().chain(&rest));
    let folder = place.folder(user);
    let litter = names(&folder).iter().any(|name| name.contains(".tmp"));
    let found = next_opener(place, user);
    assert!(
        (saved..=begun).contains(&found),
        "{user}: record {found} after {before}, saved {saved}, begun {begun}"
    );
    let left = if found == 0 { vec![] } else { vec!["journal.jsonl", "lock"] };
    assert_eq!(names_but_copy(&folder), left, "{user}");
    figures.saves.fetch_add(saved - before, Ordering::Relaxed);
    figures.with_litter.fetch_add(litter.into(), Ordering::Relaxed);
    figures.unacknowledged.fetch_add((found > saved).into(), Ordering::Relaxed);
    found
}

/// Takes the key at once, without any wait, and tells the number of the record.
fn next_opener(place: &Place, user: &str) -> u64 {
    let backend = FileBackend::new(&place.root);
    let manager = StateManager::builder(backend).wait(Duration::ZERO).build();
    block_on(async {
        let call = manager.begin::<Page>(&key(user)).await.expect("the key is free");
        assert!(call.state.is_whole(), "{user}: page {} is a mixture", call.state.number);
        let number = call.state.number;
        call.rollback().await;
        number
    })
}
