//! Disks that are full, or for reading only.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use cogency_state::{FileBackend, StateManager};

use crate::disk::Disk;
use crate::place::{block_on, io_kind, key, manager, names_but_copy, number, turn};

fn left_in(root: &Path, user: &str) -> Vec<String> {
    names_but_copy(&root.join(user).join("default"))
}

#[test]
fn promise_10_a_full_disk_is_a_clear_error_and_leaves_the_old_record() {
    let disk = Disk::new(16);
    let root = disk.point.join("state");
    let manager = manager(&root);
    block_on(async {
        let saved = manager.save_state(&key("alice"), "small".to_owned(), None).await.unwrap();
        let filler = disk.fill();

        let large = "x".repeat(1 << 20);
        let error = manager.save_state(&key("alice"), large.clone(), Some(saved)).await;
        let error = error.unwrap_err();
        assert_eq!(io_kind(&error), Some(ErrorKind::StorageFull), "{error}");
        assert!(error.to_string().contains("failed to save \"alice\"/\"default\""), "{error}");
        let loaded = manager.load_state::<String>(&key("alice")).await.unwrap().unwrap();
        assert_eq!((loaded.state.as_str(), loaded.revision), ("small", saved));
        assert_eq!(left_in(&root, "alice"), ["journal.jsonl", "lock"]);

        let error = turn(&manager, "bob").await.unwrap_err();
        assert_eq!(io_kind(&error), Some(ErrorKind::StorageFull), "{error}");
        assert_eq!(number(&manager, "bob").await.unwrap(), 0);

        std::fs::remove_file(filler).unwrap();
        manager.save_state(&key("alice"), large, Some(saved)).await.unwrap();
        assert_eq!(turn(&manager, "bob").await.unwrap(), 1);
        assert_eq!(left_in(&root, "alice"), ["journal.jsonl", "lock"]);
        assert_eq!(left_in(&root, "bob"), ["journal.jsonl", "lock"]);
    });
}

#[test]
fn promise_15_a_reset_whose_save_fails_puts_the_old_state_back() {
    let disk = Disk::new(16);
    let root = disk.point.join("state");
    let with = |llm: &str| StateManager::builder(FileBackend::new(&root)).llm(llm).build();
    block_on(async {
        let old = with("openai/gpt-5");
        let saved = old.save_state(&key("alice"), "small".to_owned(), None).await.unwrap();
        // Enough is left to set something aside, and not for a large state.
        let filler = File::options().write(true).open(disk.fill()).unwrap();
        filler.set_len(filler.metadata().unwrap().len() - (256 << 10)).unwrap();

        let new = with("anthropic/claude-sonnet-4-5");
        let mut call = new.begin::<String>(&key("alice")).await.unwrap();
        assert_eq!(call.state, "");
        call.state = "x".repeat(1 << 20);
        let error = call.commit().await.unwrap_err();
        assert_eq!(io_kind(&error), Some(ErrorKind::StorageFull), "{error}");
        let loaded = old.load_state::<String>(&key("alice")).await.unwrap().unwrap();
        assert_eq!((loaded.state.as_str(), loaded.revision), ("small", saved));
        assert!(old.quarantined().await.unwrap().is_empty());
        assert_eq!(left_in(&root, "alice"), ["journal.jsonl", "lock"]);

        let mut call = new.begin::<String>(&key("alice")).await.unwrap();
        call.state = "fits".to_owned();
        call.commit().await.unwrap();
        assert_eq!(old.quarantined().await.unwrap().len(), 1);
    });
}

#[test]
fn promise_10_on_a_read_only_disk_loads_work_and_saves_are_a_clear_error() {
    let disk = Disk::new(16);
    let manager = manager(&disk.point.join("state"));
    block_on(async {
        turn(&manager, "alice").await.unwrap();
        disk.remount("ro");
        assert_eq!(number(&manager, "alice").await.unwrap(), 1);
        assert_eq!(manager.list_states("alice").await.unwrap(), [key("alice")]);
        for user in ["alice", "bob"] {
            let error = turn(&manager, user).await.unwrap_err();
            assert_eq!(io_kind(&error), Some(ErrorKind::ReadOnlyFilesystem), "{error}");
        }
        let error = manager.delete_state(&key("alice")).await.unwrap_err();
        assert_eq!(io_kind(&error), Some(ErrorKind::ReadOnlyFilesystem), "{error}");
        disk.remount("rw");
        assert_eq!(turn(&manager, "alice").await.unwrap(), 2);
    });
}
