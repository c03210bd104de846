//! What went wrong in the original with files, and does not here. Others of its defects are named
//! so where their subject is: `ids`, `damage`, `links`, `order`, `privacy`.

use std::cell::Cell;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cogency_state::{Error, StateKey};

use crate::agent::{saved, start};
use crate::disk::Disk;
use crate::place::{Place, block_on, io_kind, key, manager, names, names_but_copy, number, turn};

#[test]
fn original_defect_nothing_came_back_after_a_restart() {
    let place = Place::new();
    for number in 1..=5 {
        let said = start("turn", &place.root, &["alice"]).succeed();
        assert_eq!(saved(&said), [number]);
    }
    assert_eq!(names(&place.root), ["alice"], "no orphans");
    assert_eq!(names_but_copy(&place.folder("alice")), ["journal.jsonl", "lock"]);
}

#[test]
fn original_defect_threads_failed_on_a_shared_temp_name() {
    let place = Place::new();
    thread::scope(|scope| {
        for _ in 0..2 {
            // Each with a runtime and a manager of its own.
            scope.spawn(|| {
                let manager = place.manager();
                block_on(async {
                    for _ in 0..500 {
                        turn(&manager, "alice").await.unwrap();
                    }
                });
            });
        }
    });
    block_on(async { assert_eq!(number(&place.manager(), "alice").await.unwrap(), 1000) });
    assert_eq!(names_but_copy(&place.folder("alice")), ["journal.jsonl", "lock"]);
}

#[test]
fn original_defect_readers_saw_torn_files() {
    let place = Place::new();
    let is_over = AtomicBool::new(false);
    let read = || {
        let (manager, mut loads, mut last) = (place.manager(), 0, 0);
        while !is_over.load(Ordering::Relaxed) {
            // Each page is looked at whether it is whole.
            let next = block_on(async { number(&manager, "alice").await.unwrap() });
            assert!(next >= last, "{next} after {last}");
            (loads, last) = (loads + 1, next);
        }
        loads
    };
    thread::scope(|scope| {
        let readers = [scope.spawn(read), scope.spawn(read)];
        let manager = place.manager();
        let saved = block_on(async {
            for _ in 0..300 {
                turn(&manager, "alice").await?;
            }
            Ok::<_, Error>(())
        });
        is_over.store(true, Ordering::Relaxed);
        let loads = readers.map(|reader| reader.join().unwrap());
        println!("{loads:?} loads, each whole");
        saved.unwrap();
    });
}

#[test]
fn original_defect_the_update_of_one_of_two_workers_was_lost() {
    let place = Place::new();
    let (one, other) = (place.manager(), place.manager());
    let key = key("alice");
    block_on(async {
        one.save_state(&key, vec!["hello".to_owned()], None).await.unwrap();
        let [mine, theirs] = [
            one.load_state::<Vec<String>>(&key).await.unwrap().unwrap(),
            other.load_state::<Vec<String>>(&key).await.unwrap().unwrap(),
        ];
        let saved = vec!["hello".to_owned(), "mine".to_owned()];
        one.save_state(&key, saved.clone(), Some(mine.revision)).await.unwrap();
        let stale = other.save_state(&key, theirs.state, Some(theirs.revision)).await;
        assert!(matches!(stale, Err(Error::Conflict { expected: 1, found: 2, .. })), "{stale:?}");
        let there = one.load_state::<Vec<String>>(&key).await.unwrap().unwrap();
        assert_eq!(there.state, saved);
    });
}

#[test]
fn original_defect_a_kill_in_mid_save_left_temp_files_for_ever() {
    let place = Place::new();
    let mut left = 0;
    for _ in 0..40 {
        let mut writer = start("write", &place.root, &["alice"]);
        writer.say(1 + fastrand::usize(..4));
        writer.kill();
        left += usize::from(names(&place.folder("alice")).len() > 2);
    }
    block_on(async { turn(&place.manager(), "alice").await.unwrap() });
    println!("{left} of 40 kills left a temp file, until the next call");
    assert_eq!(names_but_copy(&place.folder("alice")), ["journal.jsonl", "lock"]);
}

#[test]
fn original_defect_a_full_disk_and_a_key_too_long_gave_a_bare_false() {
    let disk = Disk::new(8);
    let manager = manager(&disk.point.join("state"));
    block_on(async {
        let saved = manager.save_state(&key("alice"), "x".repeat(32 << 20), None).await;
        let error = saved.unwrap_err();
        assert_eq!(io_kind(&error), Some(ErrorKind::StorageFull));
        assert!(error.to_string().contains("No space left on device"), "{error}");
    });
    let long = StateKey::for_user("x".repeat(1025)).unwrap_err();
    assert!(matches!(long, Error::InvalidKey { .. }));
    assert!(long.to_string().contains("has 1025 bytes, 1024 are allowed"), "{long}");
}

/// The longest that another task of the same thread waits for its turn while something runs.
async fn longest_gap(work: impl Future<Output = ()>) -> Duration {
    let (longest, last) = (Cell::new(Duration::ZERO), Cell::new(Instant::now()));
    let tick = || longest.set(longest.get().max(last.replace(Instant::now()).elapsed()));
    let ticks = async {
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
            tick();
        }
    };
    tokio::select! {
        () = work => {}
        () = ticks => {}
    }
    tick();
    longest.get()
}

#[test]
fn original_defect_fifty_megabytes_blocked_the_event_loop() {
    let place = Place::new();
    let manager = place.manager();
    let state = vec!["x".repeat(4096); 12_800];
    block_on(async {
        let started = Instant::now();
        let gap = longest_gap(async {
            manager.save_state(&key("alice"), state, None).await.unwrap();
        });
        assert_short(gap.await, "save", started.elapsed());
        let started = Instant::now();
        let gap = longest_gap(async {
            let loaded = manager.load_state::<Vec<String>>(&key("alice")).await.unwrap().unwrap();
            assert_eq!(loaded.state.len(), 12_800);
        });
        assert_short(gap.await, "load", started.elapsed());
    });
}

fn assert_short(gap: Duration, what: &str, took: Duration) {
    println!("50 MB: the {what} took {took:?}, the longest gap between ticks was {gap:?}");
    assert!(gap < took / 4, "the {what} blocked the thread");
}
