//! Blobs on files: on the disk before a line of the journal names them, whatever happens.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use cogency_state::{Blob, Error, FileBackend, OnLlmChange, StateManager};
use cogency_state_tests::album::Album;
use serde::{Deserialize, Serialize};

use crate::agent::{Agent, PROGRAM, span, start};
use crate::disk::Disk;
use crate::journal_kills::{CALLS, kill_at};
use crate::place::{Place, block_on, key, names, names_but_copy};
use crate::trace::{self, Call};

const CUTS: u64 = 20;

/// Kills an agent at each of its calls, one after the other, and looks at what it left.
fn kill_everywhere(prepare: u64, calls: &str) -> usize {
    let mut kills = 0;
    for call in CALLS {
        for nth in 1.. {
            let place = Place::new();
            if prepare > 0 {
                start("show", &place.root, &["alice", &prepare.to_string()]).succeed();
            }
            let rest = ["show", "alice", calls];
            let (is_killed, said) = kill_at(call, nth, "1", &place.root, &rest);
            let (saved, begun) = span(prepare, &said);
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
    block_on(async {
        let (manager, key) = (place.manager(), key("alice"));
        let mut call = manager.begin::<Album>(&key).await.unwrap();
        let found = call.state.number;
        assert!((saved..=begun).contains(&found), "{when}: {found}, not in {saved}..={begun}");
        let whole = call.state.is_whole().await;
        assert!(whole.unwrap_or_else(|error| panic!("{when}: {error}")), "{when}");
        call.state.turn();
        call.commit().await.unwrap();
        manager.erase(&key).await.unwrap();
    });
    // No half-written blob either.
    assert_eq!(names_but_copy(&place.folder("alice")), ["journal.jsonl", "lock"], "{when}");
}

#[test]
fn promise_03_a_first_save_with_a_blob_that_is_killed_at_any_system_call_was_or_was_not() {
    println!("{} kills", kill_everywhere(0, "1"));
}

#[test]
fn promise_03_a_save_that_sweeps_and_is_killed_at_any_system_call_was_or_was_not() {
    // The 16th save looks for blobs that nothing names.
    println!("{} kills", kill_everywhere(15, "1"));
}

#[test]
fn promise_04_a_blob_is_on_the_disk_before_the_journal_names_it() {
    let place = Place::new();
    start("show", &place.root, &["alice", "1"]).succeed();
    let calls = trace::of("show", &place.root, "alice 1", place.outside());
    let (own, journal) = (place.folder("alice"), place.journal("alice"));
    let blobs = own.join("blobs");
    let position = |is_it: &dyn Fn(&Call) -> bool| {
        calls.iter().position(is_it).unwrap_or_else(|| panic!("{calls:#?}"))
    };
    let temp = position(&|call| call.is("openat", &[".tmp", "O_EXCL", "O_NOFOLLOW", "0600"]));
    let is_of_temp = |call: &Call| call.arguments.contains(&format!("<{}/", blobs.display()));
    let written = position(&|call| call.name == "write" && is_of_temp(call));
    let synced = position(&|call| call.name == "fdatasync" && is_of_temp(call));
    let named = position(&|call| call.is_on("renameat", &blobs));
    let name_synced = position(&|call| call.is_on("fsync", &blobs));
    let line = position(&|call| call.is_on("pwrite64", &journal));
    let steps = [temp, written, synced, named, name_synced, line];
    assert!(steps.is_sorted(), "{steps:?} in {calls:#?}");
}

#[test]
fn promise_04_a_power_cut_leaves_no_record_that_names_a_missing_blob() {
    let cuts = std::env::var("COGENCY_POWER_CUTS").map_or(CUTS, |cuts| cuts.parse().unwrap());
    let disk = Disk::new(64);
    let (root, witness) = (disk.point.join("agents"), disk.point.join("witness"));
    let (mut known, mut acknowledged) = (0, 0);
    for nth in 0..cuts {
        // Now and then a key begins anew, whose folders are new too.
        let user = format!("user-{}", nth / 4);
        known = if nth % 4 == 0 { 0 } else { known };
        std::fs::write(&witness, "").unwrap();
        disk.calm();
        let mut program = Command::new(PROGRAM);
        program.arg("show").arg(&root).args([&*user, "1000000"]).stderr(Stdio::null());
        program.env("COGENCY_VERSIONS", "1").env("COGENCY_WITNESS", &witness);
        let mut writer = Agent::spawn(&mut program);
        assert_eq!(writer.line(), "ready");
        thread::sleep(Duration::from_millis(120).mul_f64(fastrand::f64()));
        disk.cut();
        thread::sleep(Duration::from_millis(20));
        let said = writer.kill();
        disk.restart();
        let (saved, begun) = span(known, &said);
        let found = look(&root, &user);
        let number: u64 =
            found.strip_prefix("found ").unwrap_or_else(|| panic!("{found}")).parse().unwrap();
        assert!((saved..=begun).contains(&number), "{number}, not in {saved}..={begun}");
        acknowledged += saved - known;
        known = number;
    }
    println!("{cuts} cuts, {acknowledged} saves acknowledged");
    assert!(acknowledged > 0, "the cuts came too early");
}

/// By a new process: no other comes through a power cut.
fn look(root: &Path, user: &str) -> String {
    let output = Command::new(PROGRAM).arg("look").arg(root).arg(user).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn promise_14_blobs_are_readable_by_their_owner_only() {
    let place = Place::new();
    start("show", &place.root, &["alice", "2"]).succeed();
    let blobs = place.folder("alice").join("blobs");
    assert_eq!(blobs.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    for name in names(&blobs) {
        let mode = blobs.join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(names(&blobs).len(), 2);
}

#[test]
fn promise_14_a_link_in_the_place_of_a_blob_is_not_followed() {
    let place = Place::new();
    start("show", &place.root, &["alice", "1"]).succeed();
    let blobs = place.folder("alice").join("blobs");
    let (blob, secret) = (blobs.join(&names(&blobs)[0]), place.outside().join("secret"));
    std::fs::rename(&blob, &secret).unwrap();
    std::os::unix::fs::symlink(&secret, &blob).unwrap();
    block_on(async {
        let loaded = place.manager().load_state::<Album>(&key("alice")).await.unwrap().unwrap();
        let error = loaded.state.is_whole().await.unwrap_err();
        assert!(error.to_string().contains("links are not followed"), "{error}");
    });
}

#[derive(Default, Serialize, Deserialize)]
struct Shown {
    image: Option<Blob>,
    turns: u32,
}

async fn show(manager: &StateManager, image: Option<Blob>) {
    let mut call = manager.begin::<Shown>(&key("alice")).await.unwrap();
    call.state = Shown { image, turns: call.state.turns + 1 };
    call.commit().await.unwrap();
}

#[test]
fn what_a_damaged_version_may_name_is_not_swept() {
    let place = Place::new();
    block_on(async {
        let manager = place.manager();
        show(&manager, Some(Blob::new("image"))).await;
        // So many that the newest does not need the first.
        for _ in 0..20 {
            show(&manager, None).await;
        }
        let mut journal = std::fs::read(place.journal("alice")).unwrap();
        journal[20] ^= 1;
        std::fs::write(place.journal("alice"), journal).unwrap();
        for _ in 0..16 {
            show(&manager, None).await;
        }
        assert_eq!(names(&place.folder("alice").join("blobs")).len(), 1);
    });
}

#[test]
fn what_is_set_aside_and_does_not_say_what_it_was_keeps_its_blobs() {
    let place = Place::new();
    block_on(async {
        let by = |llm: &'static str| {
            let builder = StateManager::builder(FileBackend::new(&place.root)).llm(llm);
            builder.on_llm_change(OnLlmChange::Reset).build()
        };
        show(&by("a/1"), Some(Blob::new("image"))).await;
        show(&by("b/1"), None).await;
        let folder = place.folder("alice");
        let about = names(&folder).into_iter().find(|name| name.contains(".about")).unwrap();
        std::fs::write(folder.join(about), "?").unwrap();
        let manager = by("b/1");
        for _ in 0..16 {
            show(&manager, None).await;
        }
        // Its history does not name it any more either.
        let erased = manager.erase(&key("alice")).await;
        assert!(matches!(erased, Err(Error::Corrupt { .. })), "{erased:?}");
        assert_eq!(names(&folder.join("blobs")).len(), 1);
    });
}
