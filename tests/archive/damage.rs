//! What is damaged is told, and no row is removed for it.

use std::path::Path;

use cogency_state::archive::Archive;
use cogency_state::{DatabaseBackend, StateBackend as _, StateManager};
use std::time::Duration;

use crate::places::Database;
use crate::{Place, key, save};

async fn archived(backend: &DatabaseBackend) -> Place {
    let place = Place::new();
    save(backend, &key("alice", "1"), "{\"turns\":[\"hello\"]}").await;
    place.take_all(backend).await;
    place
}

fn flip(path: &Path, byte: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[byte] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn each_byte_of_a_file_that_changes_is_noticed() {
    let database = Database::sqlite();
    let backend = database.connect().await;
    let place = archived(&backend).await;
    let file = &place.files(".jsonl.gz")[0];
    let length = std::fs::read(file).unwrap().len();
    for byte in 0..length {
        flip(file, byte);
        let said = place.archive.verify().await.unwrap_err().to_string();
        assert!(said.contains("not the one that its manifest describes"), "{said}");
        assert!(place.archive.find(&key("alice", "1")).await.is_err());
        flip(file, byte);
    }
    place.archive.verify().await.unwrap();
}

/// The run that wrote it was killed before it removed anything, and then the file was damaged.
#[tokio::test]
async fn no_row_is_removed_for_a_file_that_was_damaged_since() {
    for database in Database::each() {
        let backend = database.connect().await;
        let (place, alice) = (Place::new(), key("alice", "1"));
        let record = save(&backend, &alice, "1").await;
        let copy = database.afresh();
        let other = copy.connect().await;
        let lease = match other.acquire_lease(&alice, &cogency_state::Holder::current()).await {
            Ok(cogency_state::LeaseAttempt::Acquired(lease)) => lease,
            other => panic!("{other:?}"),
        };
        // The same save in another database, whose row is removed.
        other
            .save_and_release(&lease, &cogency_state::Write::new(record.clone(), None))
            .await
            .unwrap();
        place.take_all(&other).await;
        std::fs::remove_file(&place.files(".done")[0]).unwrap();
        flip(&place.files(".jsonl.gz")[0], 30);
        let manager = StateManager::new(backend.clone());
        let run = place.archive.states(&manager, Duration::ZERO).run().await;
        let said = run.unwrap_err().to_string();
        assert!(said.contains("damaged") && said.contains("no row was removed"), "{said}");
        assert_eq!(backend.load_state(&alice).await.unwrap(), Some(record), "{}", database.name);
        // Whole again, it ends.
        flip(&place.files(".jsonl.gz")[0], 30);
        assert_eq!(place.take_all(&backend).await.removed, 1);
    }
}

#[tokio::test]
async fn an_archive_that_cannot_be_written_removes_nothing() {
    let database = Database::sqlite();
    let backend = database.connect().await;
    let place = Place::new();
    save(&backend, &key("alice", "1"), "1").await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    // Where its folder was is a file now.
    std::fs::remove_dir_all(place.path()).unwrap();
    std::fs::write(place.path(), "").unwrap();
    let manager = StateManager::new(backend.clone());
    let run = place.archive.states(&manager, Duration::ZERO).run().await;
    assert!(run.is_err());
    assert!(backend.load_state(&key("alice", "1")).await.unwrap().is_some());
    let opened = Archive::in_folder(place.path()).unwrap_err().to_string();
    assert!(opened.contains("its folder cannot be made or opened"), "{opened}");
}

#[tokio::test]
async fn a_state_that_cannot_be_read_stays() {
    let database = Database::postgres();
    let backend = database.connect().await;
    let place = Place::new();
    for session in ["1", "2"] {
        save(&backend, &key("alice", session), "1").await;
    }
    database.run("UPDATE {p}states SET checksum = '0000000000000000' WHERE session_id = '1'");
    let report = place.take_all(&backend).await;
    assert_eq!((report.removed, report.unreadable), (1, 1));
    assert_eq!(database.number("SELECT count(*) FROM {p}states"), 1);
}
