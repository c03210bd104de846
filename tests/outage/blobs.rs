//! Blobs of states that are spooled: they wait with them, and reach the server before them.

use std::path::PathBuf;

use cogency_state::{
    Blob, BlobBackend, Error, Resolution, SpoolProblem, SpooledKind, StateManager,
};
use cogency_state_tests::switched::{Mode, TIMEOUT};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::place::{Place, files, key, settled};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Album {
    images: Vec<Blob>,
}

async fn show(manager: &StateManager, image: &Blob) -> Result<(), Error> {
    let mut call = manager.begin::<Album>(&key("alice")).await?;
    call.state.images.push(image.clone());
    call.commit().await.map(drop)
}

async fn images(manager: &StateManager) -> Vec<Vec<u8>> {
    let album = manager.load_state::<Album>(&key("alice")).await.unwrap().unwrap().state;
    let mut images = Vec::new();
    for image in album.images {
        images.push(image.load().await.unwrap().to_vec());
    }
    images
}

fn image(number: u8) -> Blob {
    Blob::new(vec![number; 100_000])
}

fn bytes<const N: usize>(numbers: [u8; N]) -> Vec<Vec<u8>> {
    numbers.map(|number| vec![number; 100_000]).into()
}

#[tokio::test]
async fn new_blobs_wait_with_their_state_and_reach_the_server_before_it() {
    let place = Place::new();
    let manager = place.manager();
    show(&manager, &image(1)).await.unwrap();
    place.server.switch(Mode::Away);
    show(&manager, &image(2)).await.unwrap();
    show(&manager, &image(3)).await.unwrap();
    let waiting = manager.load_state::<Album>(&key("alice")).await.unwrap().unwrap().state;
    assert_eq!(waiting.images[1].load().await.unwrap()[..], bytes([2])[0]);
    // The one before the outage is where it was: out of reach.
    assert!(waiting.images[0].load().await.unwrap_err().is_outage());
    // Another process finds them too.
    let other = place.manager();
    let found = other.load_state::<Album>(&key("alice")).await.unwrap().unwrap().state;
    assert_eq!(found.images[2].load().await.unwrap()[..], bytes([3])[0]);
    place.server.switch(Mode::Up);
    settled(&manager).await;
    assert_eq!(images(&place.foreign()).await, bytes([1, 2, 3]));
    assert_eq!(images(&manager).await, bytes([1, 2, 3]));
    let is_entry = |path: &PathBuf| path.extension().is_some_and(|end| end == "json");
    assert!(!files(&place.spool()).iter().any(is_entry));
}

#[tokio::test]
async fn a_state_whose_blob_could_not_be_stored_is_spooled() {
    let place = Place::new();
    let manager = place.manager();
    let mut call = manager.begin::<Album>(&key("alice")).await.unwrap();
    call.state.images.push(image(1));
    place.server.switch(Mode::Away);
    call.commit().await.unwrap();
    place.server.switch(Mode::Up);
    settled(&manager).await;
    assert_eq!(images(&place.foreign()).await, bytes([1]));
}

#[tokio::test]
async fn where_both_sides_moved_on_both_keep_their_blobs() {
    let place = Place::new();
    let manager = place.manager();
    show(&manager, &image(1)).await.unwrap();
    place.server.switch(Mode::Away);
    show(&manager, &image(2)).await.unwrap();
    show(&manager, &image(3)).await.unwrap();
    show(&place.foreign(), &image(4)).await.unwrap();
    place.server.switch(Mode::Up);
    settled(&manager).await;
    assert_eq!(images(&manager).await, bytes([1, 4]));
    let spooled = manager.spool().await.unwrap();
    assert!(spooled.iter().all(|each| matches!(each.kind, SpooledKind::Conflict { .. })));
    let ours = spooled.last().unwrap();
    let branch = manager.load_spooled::<Album>(ours).await.unwrap().state;
    assert_eq!(branch.images[1].load().await.unwrap()[..], bytes([2])[0]);
    manager.resolve(ours, Resolution::Ours).await.unwrap().unwrap();
    assert_eq!(images(&place.foreign()).await, bytes([1, 2, 3]));
    assert_eq!(manager.spool().await.unwrap().len(), 0);
}

/// The later one names the image, the earlier one brought its bytes along.
#[tokio::test]
async fn an_entry_that_is_removed_leaves_its_blobs_to_those_that_name_them() {
    for resolution in [Resolution::Theirs, Resolution::Drop] {
        let place = Place::new();
        let manager = place.manager();
        show(&manager, &image(1)).await.unwrap();
        place.server.switch(Mode::Away);
        for number in 2..=4 {
            show(&manager, &image(number)).await.unwrap();
        }
        show(&place.foreign(), &image(5)).await.unwrap();
        place.server.switch(Mode::Up);
        settled(&manager).await;
        for _ in 0..2 {
            let earliest = manager.spool().await.unwrap().remove(0);
            manager.resolve(&earliest, resolution).await.unwrap();
        }
        let [ours] = manager.spool().await.unwrap().try_into().unwrap();
        manager.resolve(&ours, Resolution::Ours).await.unwrap().unwrap();
        assert_eq!(images(&place.foreign()).await, bytes([1, 2, 3, 4]));
    }
}

/// A spooled state that is in conflict and names images that what is stored does not; and somebody
/// whom the outage did not concern.
async fn conflict(place: &Place) -> StateManager {
    let manager = place.manager();
    show(&manager, &image(1)).await.unwrap();
    place.server.switch(Mode::Away);
    show(&manager, &image(2)).await.unwrap();
    let beside = StateManager::builder(place.server.beside()).spool_dir(place.spool()).build();
    let foreign = place.foreign();
    let latest = revision(&foreign).await;
    foreign.save_state(&key("alice"), Album::default(), Some(latest)).await.unwrap();
    place.server.switch(Mode::Up);
    settled(&beside).await;
    beside
}

/// Enough saves for what nothing names to be swept.
async fn save_without_images(manager: &StateManager) {
    for _ in 0..40 {
        let latest = revision(manager).await;
        manager.save_state(&key("alice"), Album::default(), Some(latest)).await.unwrap();
    }
}

#[tokio::test]
async fn sweeps_spare_what_a_spooled_state_names() {
    let place = Place::new();
    let beside = conflict(&place).await;
    save_without_images(&beside).await;
    let ours = beside.spool().await.unwrap().remove(0);
    let branch = beside.load_spooled::<Album>(&ours).await.unwrap().state;
    assert_eq!(branch.images[0].load().await.unwrap()[..], bytes([1])[0]);
}

#[tokio::test]
async fn sweeps_spare_what_a_damaged_entry_of_the_spool_may_name() {
    let place = Place::new();
    let beside = conflict(&place).await;
    let is_entry = |path: &PathBuf| path.extension().is_some_and(|end| end == "json");
    let entry = files(&place.spool()).into_iter().find(is_entry).unwrap();
    std::fs::write(entry, "?").unwrap();
    save_without_images(&beside).await;
    let stored = place.server.direct().list_blobs(&key("alice")).await.unwrap();
    assert!(stored.contains(&image(1).id()));
}

#[tokio::test(start_paused = true)]
async fn images_wait_once_for_a_server_that_says_nothing() {
    let place = Place::new();
    let manager = place.manager();
    for number in 1..=9 {
        show(&manager, &image(number)).await.unwrap();
    }
    let album = manager.load_state::<Album>(&key("alice")).await.unwrap().unwrap().state;
    place.server.switch(Mode::Silent);
    let began = Instant::now();
    for image in &album.images {
        assert!(image.load().await.unwrap_err().is_outage());
    }
    let waited = began.elapsed();
    assert!((TIMEOUT..2 * TIMEOUT).contains(&waited), "{waited:?}");
}

async fn revision(manager: &StateManager) -> cogency_state::Revision {
    manager.load_state::<Album>(&key("alice")).await.unwrap().unwrap().revision
}

#[tokio::test]
async fn blobs_count_where_the_spool_is_bounded() {
    let place = Place::new();
    let manager = place.builder().spool_bytes(50_000).build();
    place.server.switch(Mode::Away);
    let refused = show(&place.manager(), &image(1)).await;
    // Unknown without the server: a first call needs it.
    assert!(refused.unwrap_err().is_outage());
    place.server.switch(Mode::Up);
    let mut call = manager.begin::<Album>(&key("alice")).await.unwrap();
    call.state.images.push(image(1));
    place.server.switch(Mode::Away);
    let refused = call.commit().await.unwrap_err();
    let is_full = matches!(refused, Error::NotSpooled { problem: SpoolProblem::Full { .. }, .. });
    assert!(is_full, "{refused}");
    assert!(place.server.direct().list_blobs(&key("alice")).await.unwrap().is_empty());
}
