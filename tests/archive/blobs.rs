//! What archived states and versions name goes along, and comes back.

use std::time::Duration;

use cogency_state::{
    Blob, BlobBackend as _, Moment, Retention, StateBackend as _, StateKey, StateManager,
};
use serde::{Deserialize, Serialize};

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
