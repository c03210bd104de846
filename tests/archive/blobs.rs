//! What archived states and versions name goes along, and comes back.

use std::os::unix::fs::PermissionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use cogency_state::archive::Step;
use cogency_state::{
    Blob, BlobBackend as _, Moment, Retention, StateBackend as _, StateKey, StateManager,
};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use crate::places::Database;
use crate::{Place, key};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Album {
    images: Vec<Blob>,
}

fn image(number: u8) -> Blob {
    Blob::new(vec![number; 200_000])
}

async fn show(manager: &StateManager, key: &StateKey, images: &[u8]) {
    let mut call = manager.begin::<Album>(key).await.unwrap();
    call.state.images = images.iter().copied().map(image).collect();
    call.commit().await.unwrap();
}

#[tokio::test]
async fn states_take_their_blobs_along_and_bring_them_back() {
    for database in Database::each() {
        let (backend, place) = (database.connect().await, Place::new());
        let manager = StateManager::new(backend.clone());
        let (alice, bob) = (key("alice", "1"), key("bob", "1"));
        show(&manager, &alice, &[1, 2]).await;
        show(&manager, &bob, &[2]).await;
        let report = place.take_all(&backend).await;
        assert_eq!((report.removed, report.unreadable), (2, 0), "{}", database.name);
        // What a history keeps keeps its blobs.
        manager.erase(&alice).await.unwrap();
        assert!(backend.list_blobs(&alice).await.unwrap().is_empty());
        // Two states name the second one, which is there once.
        assert_eq!(place.path().join("v1/blobs").read_dir().unwrap().count(), 2);
        place.archive.verify().await.unwrap();
        place.archive.restore(&manager, &alice).await.unwrap().unwrap();
        let album = manager.load_state::<Album>(&alice).await.unwrap().unwrap().state;
        assert_eq!(album.images, [image(1), image(2)]);
        for image in &album.images {
            assert_eq!(image.load().await.unwrap().len(), 200_000, "{}", database.name);
        }
    }
}

#[tokio::test]
async fn versions_take_their_blobs_along() {
    let database = Database::sqlite();
    let (backend, place) = (database.connect().await, Place::new());
    let (manager, alice) = (StateManager::new(backend.clone()), key("alice", "1"));
    show(&manager, &alice, &[1]).await;
    for _ in 0..20 {
        show(&manager, &alice, &[2]).await;
    }
    place.archive.history(&manager, Retention::Versions(1)).run().await.unwrap();
    assert_eq!(backend.list_blobs(&alice).await.unwrap(), [image(2).id()]);
    let first = place.archive.load_history(&alice, Moment::Version(1)).await.unwrap().unwrap();
    assert_eq!(first.metadata.blob_ids, Some(vec![image(1).id()]));
    let bytes = place.archive.load_blob(image(1).id()).await.unwrap().unwrap();
    assert_eq!(bytes, vec![1; 200_000]);
}

#[tokio::test]
async fn a_damaged_blob_is_told() {
    let database = Database::sqlite();
    let (backend, place) = (database.connect().await, Place::new());
    let (manager, alice) = (StateManager::new(backend.clone()), key("alice", "1"));
    show(&manager, &alice, &[1]).await;
    place.take_all(&backend).await;
    let path = place.path().join("v1/blobs").join(image(1).id().digits());
    std::fs::write(path, "another").unwrap();
    assert!(place.archive.verify().await.is_err());
    assert!(place.archive.restore(&manager, &alice).await.is_err());
    assert!(backend.load_state(&alice).await.unwrap().is_none());
    // One that is archived again is whole again.
    manager.history(&alice).restore(Moment::Version(1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    place.archive.states(&manager, Duration::ZERO).run().await.unwrap();
    place.archive.verify().await.unwrap();
}

#[tokio::test]
async fn what_names_a_damaged_blob_stays_and_holds_up_nothing_else() {
    let database = Database::sqlite();
    let (backend, place) = (database.connect().await, Place::new());
    let (manager, alice, bob) =
        (StateManager::new(backend.clone()), key("alice", "1"), key("bob", "1"));
    for _ in 0..20 {
        show(&manager, &alice, &[1]).await;
        show(&manager, &bob, &[2]).await;
    }
    database.run("UPDATE {p}blobs SET content = x'00' WHERE user_id = 'alice'");
    let report = place.archive.history(&manager, Retention::Versions(1)).run().await.unwrap();
    assert_eq!((report.removed > 0, report.unreadable), (true, 1));
    assert_eq!(place.archive.list_history(&alice).await.unwrap(), []);
    assert_eq!(manager.history(&alice).verify().await.unwrap().entries, 20);
    let report = place.take_all(&backend).await;
    assert_eq!((report.removed, report.unreadable), (1, 1));
    let report = place.take_all(&backend).await;
    assert_eq!((report.removed, report.unreadable), (0, 1));
    assert!(backend.load_state(&alice).await.unwrap().is_some());
    assert_eq!(backend.list_blobs(&alice).await.unwrap(), [image(1).id()]);
    place.archive.verify().await.unwrap();
}

#[tokio::test]
async fn a_blob_that_is_missing_from_the_archive_is_told_unless_it_never_came_there() {
    let database = Database::sqlite();
    let (backend, place) = (database.connect().await, Place::new());
    let (manager, alice, bob) =
        (StateManager::new(backend.clone()), key("alice", "1"), key("bob", "1"));
    show(&manager, &bob, &[2]).await;
    database.run("DELETE FROM {p}blobs");
    show(&manager, &alice, &[1]).await;
    place.take_all(&backend).await;
    place.archive.verify().await.unwrap();
    std::fs::remove_dir_all(place.path().join("v1/blobs")).unwrap();
    let said = place.archive.verify().await.unwrap_err().to_string();
    assert!(said.contains("is missing"), "{said}");
}

#[test]
fn a_run_that_was_killed_is_ended_only_with_the_blobs_of_its_states() {
    let runtime = Runtime::new().unwrap();
    let (database, place, alice) = (Database::sqlite(), Place::new(), key("alice", "1"));
    let backend = runtime.block_on(database.connect());
    let manager = StateManager::new(backend.clone());
    runtime.block_on(async {
        show(&manager, &alice, &[1]).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    });
    let killed = place.archive.states(&manager, Duration::ZERO);
    let killed = killed.on_progress(|progress| assert_ne!(progress.step, Step::Sealed));
    let killed = catch_unwind(AssertUnwindSafe(|| runtime.block_on(killed.run())));
    assert!(killed.is_err());
    std::fs::remove_dir_all(place.path().join("v1/blobs")).unwrap();
    runtime.block_on(async {
        assert_eq!(place.take_all(&backend).await.removed, 1);
        assert!(place.archive.load_blob(image(1).id()).await.unwrap().is_some());
        place.archive.verify().await.unwrap();
    });
}

#[tokio::test]
async fn promise_14_files_of_an_archive_are_readable_by_their_owner_only() {
    let database = Database::sqlite();
    let (backend, place) = (database.connect().await, Place::new());
    show(&StateManager::new(backend.clone()), &key("alice", "1"), &[1]).await;
    place.take_all(&backend).await;
    let mut files = place.files("");
    files
        .extend(place.path().join("v1/blobs").read_dir().unwrap().map(|file| file.unwrap().path()));
    files.retain(|path| path.is_file());
    assert_eq!(files.len(), 4, "{files:?}");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}
