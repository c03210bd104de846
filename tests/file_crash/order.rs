//! The order of system calls that makes a save atomic and durable.

use std::fs;
use std::path::{Path, PathBuf};

use crate::place::Place;
use crate::trace::{self, Call};

/// The steps of a first save, as places in the list of calls.
struct First {
    create: usize,
    write: usize,
    sync: usize,
    rename: usize,
    sync_folder: usize,
    acknowledge: usize,
}

impl First {
    fn find(calls: &[Call], folder: &Path) -> Self {
        let in_folder = format!("<{}>, \"journal.", folder.display());
        let create = only(calls, |call| call.is("openat", &["O_EXCL", "\"journal."]));
        assert!(
            calls[create].is("openat", &[&in_folder, "O_CREAT|", "O_NOFOLLOW", ".tmp\"", "0600"])
        );
        let temp = PathBuf::from(inside(&calls[create].result, '<', '>'));
        assert_eq!(temp.parent(), Some(folder), "a rename is atomic within one folder");
        let name = temp.file_name().unwrap().to_str().unwrap();
        Self {
            create,
            write: only(calls, |call| call.is_on("write", &temp)),
            sync: only(calls, |call| call.is_on("fdatasync", &temp)),
            rename: only(calls, |call| {
                call.is("renameat", &[&in_folder, name, "\"journal.jsonl\""]) && call.result == "0"
            }),
            sync_folder: only(calls, |call| call.is_on("fsync", folder)),
            acknowledge: only(calls, |call| call.is("write", &["\"saved "])),
        }
    }

    fn assert_order(&self) {
        let Self { create, write, sync, rename, sync_folder, acknowledge } = *self;
        let steps = [create, write, sync, rename, sync_folder, acknowledge];
        assert!(steps.is_sorted(), "create, write, sync, rename, sync, acknowledge: {steps:?}");
    }
}

/// The place of the only call of a kind.
fn only(calls: &[Call], is_it: impl Fn(&Call) -> bool) -> usize {
    let places: Vec<_> = (0..calls.len()).filter(|&nth| is_it(&calls[nth])).collect();
    let &[place] = places.as_slice() else { panic!("one of {places:?} in {calls:#?}") };
    place
}

fn inside(text: &str, from: char, to: char) -> &str {
    text.split_once(from).unwrap().1.rsplit_once(to).unwrap().0
}

#[test]
fn promise_04_a_first_save_is_on_the_disk_before_it_is_acknowledged() {
    let place = Place::new();
    let calls = trace::of("turn", &place.root, "alice", place.outside());
    First::find(&calls, &place.folder("alice")).assert_order();
}

#[test]
fn promise_04_a_save_is_one_write_and_one_sync_before_it_is_acknowledged() {
    let place = Place::new();
    let calls = trace::of("turn", &place.root, "alice", place.outside());
    First::find(&calls, &place.folder("alice"));
    let calls = trace::of("count", &place.root, "2 alice", place.outside());
    let journal = place.journal("alice");
    let acknowledged: Vec<_> =
        (0..calls.len()).filter(|&nth| calls[nth].is("write", &["\"saved "])).collect();
    let &[first, second] = acknowledged.as_slice() else { panic!("{calls:#?}") };
    // The first of a process makes sure that the journal's name is on the disk too.
    assert!(only(&calls[..first], |call| call.is_on("fsync", &place.folder("alice"))) < first);
    let calls = &calls[first..second];
    let write = only(calls, |call| call.is_on("pwrite64", &journal));
    let sync = only(calls, |call| call.is_on("fdatasync", &journal));
    assert!(write < sync);
    let synced = calls.iter().filter(|call| call.name.ends_with("sync")).count();
    assert_eq!(synced, 1, "{calls:#?}");
}

#[test]
fn promise_04_new_folders_are_on_the_disk_before_a_record_is_in_them() {
    let place = Place::new();
    let root = place.outside().join("new/folders/state");
    let calls = trace::of("turn", &root, "alice", place.outside());
    let save = First::find(&calls, &root.join("alice/default"));
    // Each new name is in the folder above it.
    for with_new_name in [
        &root.join("alice"),
        &root,
        &place.outside().join("new/folders"),
        &place.outside().join("new"),
        place.outside(),
    ] {
        let synced = only(&calls, |call| call.is_on("fsync", with_new_name));
        let made = |call: &Call| call.name.starts_with("mkdir") && call.result == "0";
        let made = calls.iter().rposition(made).unwrap();
        assert!(made < synced && synced < save.rename, "{}", with_new_name.display());
    }
}

#[test]
fn original_defect_the_directory_was_never_synced() {
    let place = Place::new();
    let folder = place.folder("alice");
    let calls = trace::of("turn", &place.root, "alice", place.outside());
    let rename = only(&calls, |call| {
        call.is_on("renameat", &folder) && call.is("renameat", &["\"journal.jsonl\""])
    });
    let acknowledge = only(&calls, |call| call.is("write", &["\"saved "]));
    let sync = only(&calls[rename..acknowledge], |call| call.is_on("fsync", &folder));
    assert!(calls[rename + sync].result == "0");
}

#[test]
fn promise_04_a_root_that_was_removed_and_made_again_is_on_the_disk_too() {
    let place = Place::new();
    let calls = trace::of("resettle", &place.root, "alice", place.outside());
    let removal = calls.iter().rposition(|call| call.is("unlinkat", &["AT_REMOVEDIR"])).unwrap();
    let again = &calls[removal + 1..];
    let save = First::find(again, &place.folder("alice"));
    save.assert_order();
    assert!(only(again, |call| call.is_on("fsync", place.outside())) < save.rename);
}

#[test]
fn promise_13_no_file_is_touched_on_a_thread_of_the_runtime() {
    let place = Place::new();
    let calls = trace::of("turn", &place.root, "alice", place.outside());
    let saved = only(&calls, |call| call.is("write", &["\"saved "]));
    let runtime = &calls[saved].thread;
    // At its end, when nothing else runs, it writes what is left to be copied.
    let calls = &calls[..saved];
    let root = place.root.to_str().unwrap();
    let is_ours = |call: &&Call| call.name != "write" && call.arguments.contains(root);
    let ours: Vec<_> = calls.iter().filter(is_ours).collect();
    assert!(ours.len() > 10, "{calls:#?}");
    assert!(ours.iter().all(|call| call.thread != *runtime), "{ours:#?}");
}

/// A copy that is newer than its journal would be taken for a journal that was cut off.
#[test]
fn promise_04_a_copy_is_made_of_what_is_on_the_disk() {
    let place = Place::new();
    trace::of("turn", &place.root, "alice", place.outside());
    let (file, journal) = (place.file("alice"), place.journal("alice"));
    let older = fs::read(&file).unwrap();
    trace::of("turn", &place.root, "alice", place.outside());
    fs::write(&file, older).unwrap();
    let calls = trace::of("refresh", &place.root, "alice", place.outside());
    let sync = only(&calls, |call| call.is_on("fdatasync", &journal));
    assert!(sync < only(&calls, |call| call.is("renameat", &["\"state.json\""])));
}
