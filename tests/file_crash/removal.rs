//! Folders and files that somebody removes under a call.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use cogency_state::Error;
use cogency_state_tests::page::Page;

use crate::agent::{saved, start};
use crate::place::{Place, block_on, key, number, turn};

/// Runs a call with something that happens before its end.
async fn call_during(place: &Place, meanwhile: impl FnOnce()) -> Result<(), Error> {
    let mut call = place.manager().begin::<Page>(&key("alice")).await?;
    call.state.turn();
    meanwhile();
    call.commit().await.map(|_| ())
}

#[test]
fn promise_05_a_call_whose_root_is_removed_cannot_save_and_the_next_one_starts_anew() {
    let place = Place::new();
    block_on(async {
        turn(&place.manager(), "alice").await.unwrap();
        let ended = call_during(&place, || fs::remove_dir_all(&place.root).unwrap()).await;
        assert!(matches!(ended, Err(Error::LeaseLost { .. })), "{ended:?}");
        assert!(!place.root.exists(), "nothing is made again");
        assert_eq!(number(&place.manager(), "alice").await.unwrap(), 0);
        assert_eq!(turn(&place.manager(), "alice").await.unwrap(), 1);
    });
}

#[test]
fn promise_05_a_call_whose_folder_is_moved_away_does_not_follow_it() {
    let place = Place::new();
    let moved = place.outside().join("moved");
    block_on(async {
        turn(&place.manager(), "alice").await.unwrap();
        let before = fs::read(place.journal("alice")).unwrap();
        let ended =
            call_during(&place, || fs::rename(place.folder("alice"), &moved).unwrap()).await;
        assert!(matches!(ended, Err(Error::LeaseLost { .. })), "{ended:?}");
        assert_eq!(fs::read(moved.join("journal.jsonl")).unwrap(), before);
        assert_eq!(turn(&place.manager(), "alice").await.unwrap(), 1);
    });
}

#[test]
fn promise_06_a_call_whose_lock_file_is_removed_cannot_save_over_the_next_holder() {
    let place = Place::new();
    let lock = place.folder("alice").join("lock");
    block_on(async {
        turn(&place.manager(), "alice").await.unwrap();
        let ended = call_during(&place, || {
            fs::remove_file(&lock).unwrap();
            let said = start("turn", &place.root, &["alice"]).succeed();
            assert_eq!(saved(&said), [2]);
        })
        .await;
        assert!(matches!(ended, Err(Error::LeaseLost { .. })), "{ended:?}");
        assert_eq!(number(&place.manager(), "alice").await.unwrap(), 2);
        assert_eq!(turn(&place.manager(), "alice").await.unwrap(), 3);
    });
}

/// Removes a folder again and again while something runs, and tells how often.
fn while_removing(root: &Path, run: impl FnOnce()) -> u32 {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let remover = scope.spawn(|| {
            let mut removals = 0;
            while !is_over.load(Ordering::Relaxed) {
                removals += u32::from(fs::remove_dir_all(root).is_ok());
            }
            removals
        });
        let ran = panic::catch_unwind(AssertUnwindSafe(run));
        is_over.store(true, Ordering::Relaxed);
        let removals = remover.join().unwrap();
        ran.unwrap_or_else(|panic| panic::resume_unwind(panic));
        removals
    })
}

#[test]
fn promise_03_calls_under_a_root_that_is_removed_again_and_again_end_whole_or_in_an_error() {
    let place = Place::new();
    let manager = place.manager();
    let mut ends = Vec::new();
    let removals = while_removing(&place.root, || {
        block_on(async {
            for _ in 0..300 {
                ends.push(turn(&manager, "alice").await);
            }
        });
    });
    let mut refused = 0;
    for end in &ends {
        match end {
            Ok(_) => {}
            // A conflict where the record went before the lock did.
            Err(Error::LeaseLost { .. } | Error::Backend { .. } | Error::Conflict { .. }) => {
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    println!("{removals} removals, {} calls, {refused} refused", ends.len());
    assert!(removals > 0 && refused > 0);
    block_on(async { turn(&manager, "alice").await.expect("it is over") });
}
