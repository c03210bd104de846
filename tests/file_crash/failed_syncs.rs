//! A sync that fails: what is in memory then need not be on the disk, and a second sync of it may
//! say that all is well.

use crate::place::Place;
use crate::trace::{self, Call};

fn fails(call: &Call) -> bool {
    call.name.ends_with("sync") && call.result.contains("EIO")
}

fn position(calls: &[Call], is_it: impl Fn(&Call) -> bool) -> usize {
    calls.iter().position(is_it).unwrap_or_else(|| panic!("it is not in {calls:#?}"))
}

#[test]
fn promise_04_a_journal_whose_sync_failed_is_written_anew_before_the_save_is_acknowledged() {
    let place = Place::new();
    // The second is that of the second save.
    let eio = "inject=fdatasync:error=EIO:when=2";
    let calls = trace::with(eio, "count", &place.root, "2 alice", place.outside());
    let calls = &calls[position(&calls, fails)..];
    let journal = place.journal("alice");
    let renewed = position(calls, |call| call.is("renameat", &["\"journal.jsonl\""]));
    let written = position(calls, |call| call.is_on("pwrite64", &journal));
    let synced = position(calls, |call| call.is_on("fdatasync", &journal));
    let acknowledged = position(calls, |call| call.is("write", &["\"saved 2"]));
    let steps = [renewed, written, synced, acknowledged];
    assert!(steps.is_sorted(), "renew, write, sync, acknowledge: {steps:?}");
    assert!(calls[..renewed].iter().all(|call| !call.is_on("pwrite64", &journal)), "{calls:#?}");
}

#[test]
fn promise_04_a_name_whose_sync_failed_is_synced_before_the_save_is_acknowledged() {
    let place = Place::new();
    let calls = trace::of("turn", &place.root, "bob", place.outside());
    let folder = place.folder("bob");
    let calls = calls.into_iter().filter(|call| call.name == "fsync").collect::<Vec<_>>();
    let nth = position(&calls, |call| call.is_on("fsync", &folder)) + 1;

    let place = Place::new();
    let eio = format!("inject=fsync:error=EIO:when={nth}");
    let calls = trace::with(&eio, "turn", &place.root, "bob", place.outside());
    let calls = &calls[position(&calls, fails)..];
    let synced = position(calls, |call| call.is_on("fsync", &place.folder("bob")));
    assert!(synced < position(calls, |call| call.is("write", &["\"saved 1"])), "{calls:#?}");
}
