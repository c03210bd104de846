//! A kill at each system call of what changes a journal: what is found is from before or after.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use cogency_state::{FileBackend, HistoryBackend};
use serde_json::Value;

use crate::agent::{Agent, PROGRAM, Said, span, start};
use crate::place::{Place, block_on, key, names_but_copy, number, turn};

/// All that changes files, and what opens them.
pub(crate) const CALLS: [&str; 9] = [
    "openat",
    "write",
    "writev",
    "pwrite64",
    "fdatasync",
    "fsync",
    "renameat",
    "unlinkat",
    "ftruncate",
];

/// Runs an agent that is killed when it makes a system call for the nth time. Whether it was, and
/// what it said.
pub(crate) fn kill_at(
    call: &str,
    nth: usize,
    versions: &str,
    root: &Path,
    rest: &[&str],
) -> (bool, Vec<Said>) {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
    strace.args(["-e", &format!("inject={call}:signal=SIGKILL:when={nth}")]);
    strace.arg(PROGRAM).arg(rest[0]).arg(root).args(&rest[1..]);
    strace.env("COGENCY_ONE_THREAD", "1").env("COGENCY_VERSIONS", versions).stderr(Stdio::null());
    let (status, said) = Agent::spawn(&mut strace).finish();
    (!status.success(), said)
}

/// Kills an agent at each of its calls, one after the other, and looks at what it left.
fn kill_everywhere(versions: &str, before: &dyn Fn(&Place) -> u64, rest: &[&str]) -> usize {
    let mut kills = 0;
    for call in CALLS {
        for nth in 1.. {
            let place = Place::new();
            let before = before(&place);
            let (is_killed, said) = kill_at(call, nth, versions, &place.root, rest);
            let (saved, begun) = span(before, &said);
            is_whole(&place, saved, begun, &format!("{call} {nth}"));
            if !is_killed {
                break;
            }
            kills += 1;
        }
    }
    kills
}

fn is_whole(place: &Place, saved: u64, begun: u64, when: &str) {
    if let Ok(copy) = fs::read(place.file("alice")) {
        let copy: Value = serde_json::from_slice(&copy).unwrap_or_else(|e| panic!("{when}: {e}"));
        assert!(copy["version"].as_u64().unwrap() <= begun, "{when}: {copy}");
    }
    block_on(async {
        let manager = place.manager();
        let found = number(&manager, "alice").await.unwrap_or_else(|e| panic!("{when}: {e}"));
        assert!((saved..=begun).contains(&found), "{when}: {found}, not in {saved}..={begun}");
        assert_eq!(turn(&manager, "alice").await.unwrap(), found + 1, "{when}");
        let backend = FileBackend::new(&place.root);
        let verified = backend.verify_history(&key("alice")).await;
        assert!(verified.unwrap_or_else(|e| panic!("{when}: {e}")).is_current);
    });
    assert_eq!(names_but_copy(&place.folder("alice")), ["journal.jsonl", "lock"], "{when}");
}

/// So many turns by a process that ends in good order.
fn turned(place: &Place, turns: u64) -> u64 {
    start("count", &place.root, &[&turns.to_string(), "alice"]).succeed();
    turns
}

#[test]
fn promise_03_a_first_save_that_is_killed_at_any_system_call_was_or_was_not() {
    println!("{} kills", kill_everywhere("100", &|_| 0, &["turn", "alice"]));
}

#[test]
fn promise_03_a_save_that_is_killed_at_any_system_call_was_or_was_not() {
    println!("{} kills", kill_everywhere("100", &|place| turned(place, 2), &["turn", "alice"]));
}

#[test]
fn promise_03_a_compaction_that_is_killed_at_any_system_call_was_or_was_not() {
    let before = |place: &Place| turned(place, 6);
    println!("{} kills", kill_everywhere("1", &before, &["count", "2", "alice"]));
}

/// The copy is behind, and the torn part of a line stands in the journal: what a kill left.
#[test]
fn promise_03_a_refresh_that_is_killed_at_any_system_call_leaves_a_whole_copy_and_the_journal() {
    let before = |place: &Place| {
        turned(place, 1);
        let copy = fs::read(place.file("alice")).unwrap();
        turned(place, 1);
        fs::write(place.file("alice"), copy).unwrap();
        let mut journal = fs::read(place.journal("alice")).unwrap();
        journal.extend_from_slice(b"{\"sequence\":3,");
        fs::write(place.journal("alice"), journal).unwrap();
        2
    };
    println!("{} kills", kill_everywhere("100", &before, &["refresh", "alice"]));
}

#[test]
fn promise_03_a_take_over_that_is_killed_at_any_system_call_leaves_the_document_or_the_journal() {
    let before = |place: &Place| {
        turned(place, 1);
        fs::remove_file(place.journal("alice")).unwrap();
        1
    };
    println!("{} kills", kill_everywhere("100", &before, &["turn", "alice"]));
}
