//! Calls whose futures are dropped.

use std::time::{Duration, Instant};

use cogency_state::StateManager;

use crate::agent::{saved, start};
use crate::place::{Place, block_on, number, turn};

const CALLS: u64 = 600;
const LONGEST_LIFE: Duration = Duration::from_millis(2);

#[derive(Debug, Default)]
struct Figures {
    completed: u64,
    dropped_before_the_save: u64,
    dropped_and_saved_all_the_same: u64,
    longest_wait_for_the_next: Duration,
}

/// A random time, exactly: the runtime's timers are no finer than a millisecond.
async fn moment() {
    let (started, life) = (Instant::now(), LONGEST_LIFE.mul_f64(fastrand::f64()));
    while started.elapsed() < life {
        tokio::task::yield_now().await;
    }
}

/// Drops a call at a random moment; the number of the record that is there afterwards.
async fn drop_one(manager: &StateManager, before: u64, figures: &mut Figures) -> u64 {
    let ended = tokio::select! {
        done = turn(manager, "alice") => Some(done),
        () = moment() => None,
    };
    let started = Instant::now();
    // The next one waits for nothing but the work that was under way.
    let mut after = turn(manager, "alice").await.expect("the key is free") - 1;
    figures.longest_wait_for_the_next = figures.longest_wait_for_the_next.max(started.elapsed());
    match ended {
        Some(done) => {
            assert_eq!(done.unwrap(), before + 1);
            figures.completed += 1;
        }
        None if after == before => figures.dropped_before_the_save += 1,
        None => figures.dropped_and_saved_all_the_same += 1,
    }
    assert!(after == before || after == before + 1, "{after} after {before}");
    after += 1;
    assert_eq!(number(manager, "alice").await.unwrap(), after);
    after
}

fn drop_many(manager: &StateManager) -> u64 {
    let mut figures = Figures::default();
    let last = block_on(async {
        let mut last = 0;
        for _ in 0..CALLS {
            last = drop_one(manager, last, &mut figures).await;
        }
        last
    });
    println!("{figures:#?}");
    let Figures { completed, dropped_before_the_save: before, .. } = figures;
    assert!(completed < CALLS && before > 0, "none was dropped");
    assert!(figures.longest_wait_for_the_next < Duration::from_secs(2));
    last
}

#[test]
fn promise_02_and_13_a_dropped_call_leaves_the_old_or_the_new_record_and_a_free_key() {
    let place = Place::new();
    let last = drop_many(&place.manager());
    // Nothing is left that another process would have to wait for.
    let said = start("turn", &place.root, &["alice"]).succeed();
    assert_eq!(saved(&said), [last + 1]);
}

#[test]
fn promise_13_a_runtime_that_ends_in_mid_call_leaves_a_whole_record_and_a_free_key() {
    let place = Place::new();
    let mut last = 0;
    for _ in 0..100 {
        let life = LONGEST_LIFE.mul_f64(fastrand::f64());
        let manager = place.manager();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build()
            .unwrap();
        // At its end calls fail: there are no threads for them any more.
        runtime.spawn(async move { while turn(&manager, "alice").await.is_ok() {} });
        std::thread::sleep(life);
        runtime.shutdown_background();
        let next = block_on(async { turn(&place.manager(), "alice").await }).unwrap();
        assert!(next > last, "{next} after {last}");
        last = next;
    }
}
