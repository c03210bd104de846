//! Links, pipes, devices and folders at the names that we open.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cogency_state::{FileBackend, StateManager};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use crate::place::{Place, block_on, names, number, turn};

const ALL: Mode = Mode::RWXU;

/// Runs something that must not hang.
fn soon<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(Duration::from_secs(20)).expect("it failed, or hangs")
}

/// All that is below a folder: modes, and contents of files.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut all = BTreeMap::new();
    for name in names(folder) {
        let path = folder.join(name);
        let metadata = fs::symlink_metadata(&path).unwrap();
        let contents = metadata.is_file().then(|| fs::read(&path).unwrap());
        all.insert(path.clone(), (metadata.permissions().mode(), contents.unwrap_or_default()));
        if metadata.is_dir() {
            all.extend(tree(&path));
        }
    }
    all
}

/// The names that a call on the key of `alice` opens, below the root.
const NAMES: [&str; 4] =
    ["alice", "alice/default", "alice/default/journal.jsonl", "alice/default/lock"];

/// Every operation on a key, with its name: each must end in an error that names what is wrong.
async fn assert_refused(manager: &StateManager, what: &str) {
    let user = "alice";
    let error = turn(manager, user).await.expect_err(what).to_string();
    let is_clear = error.contains("not what belongs here") || error.contains("not a regular file");
    assert!(is_clear, "{what}: {error}");
    if !what.ends_with("lock") {
        number(manager, user).await.expect_err(what);
    }
    // Whoever lists looks at no file.
    let _ = manager.list_states(user).await;
}

/// Puts something in the place of a name, and checks that every call refuses it and leaves it.
fn refuse_at_each_name(what: &str, plant: fn(path: &Path, target: &Path)) {
    for name in NAMES {
        let place = Place::new();
        let what = format!("{what} at {name}");
        block_on(async { turn(&place.manager(), "alice").await.unwrap() });
        // What a link points to is just what we would look for.
        let (path, target) = (place.root.join(name), place.outside().join("target"));
        fs::rename(&path, &target).unwrap();
        plant(&path, &target);
        let before = (tree(&target), fs::read(&target).ok(), fs::symlink_metadata(&path).unwrap());
        let manager = place.manager();
        soon(move || block_on(assert_refused(&manager, &what)));
        let after = (tree(&target), fs::read(&target).ok(), fs::symlink_metadata(&path).unwrap());
        assert_eq!((&after.0, &after.1), (&before.0, &before.1), "the target was touched");
        assert_eq!(after.2.file_type(), before.2.file_type(), "{name} was replaced");
    }
}

#[test]
fn promise_14_a_link_is_followed_at_no_name() {
    refuse_at_each_name("a link", |path, target| symlink(target, path).unwrap());
}

#[test]
fn promise_14_a_link_to_nothing_is_followed_at_no_name() {
    refuse_at_each_name("a dangling link", |path, _| symlink("nowhere", path).unwrap());
}

#[test]
fn promise_13_a_pipe_stalls_a_call_at_no_name() {
    refuse_at_each_name("a pipe", |path, _| {
        mknodat(CWD, path, FileType::Fifo, ALL, 0).unwrap();
    });
}

#[test]
fn promise_13_a_device_stalls_a_call_at_no_name() {
    refuse_at_each_name("/dev/zero", |path, _| {
        mknodat(CWD, path, FileType::CharacterDevice, ALL, makedev(1, 5)).unwrap();
    });
}

#[test]
fn promise_14_a_file_or_folder_of_the_wrong_kind_is_refused_at_each_name() {
    refuse_at_each_name("the wrong kind", |path, target| {
        if target.is_dir() {
            fs::write(path, "a file").unwrap();
        } else {
            fs::create_dir(path).unwrap();
        }
    });
}

#[test]
fn promise_14_links_at_the_folders_of_isolated_processes_are_not_followed() {
    for link in ["@processes", "@processes/worker"] {
        let place = Place::new();
        let target = place.outside().join("target");
        fs::create_dir_all(target.join("worker")).unwrap();
        fs::create_dir_all(place.root.join(link).parent().unwrap()).unwrap();
        symlink(&target, place.root.join(link)).unwrap();
        let before = tree(&target);
        let isolated = FileBackend::new(&place.root).isolated_as("worker");
        block_on(async {
            let manager = StateManager::new(isolated);
            let error = turn(&manager, "alice").await.unwrap_err().to_string();
            assert!(error.contains("not what belongs here"), "{error}");
            number(&manager, "alice").await.unwrap_err();
            manager.list_states("alice").await.unwrap_err();
        });
        assert_eq!(tree(&target), before);
    }
}

#[test]
fn promise_01_a_link_to_the_root_is_the_choice_of_the_user() {
    let place = Place::new();
    fs::create_dir(place.outside().join("elsewhere")).unwrap();
    symlink("elsewhere", &place.root).unwrap();
    block_on(async { turn(&place.manager(), "alice").await.unwrap() });
    assert!(place.outside().join("elsewhere/alice/default/journal.jsonl").is_file());
}
