//! Blobs: stored once beside a state, before the state that names them, for as long as something
//! does.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use cogency_state::{
    Blob, BlobId, Error, Moment, OnLlmChange, Retention, StateKey, StateManager, robust,
};
use serde::{Deserialize, Serialize};

use crate::places::{Place, key, on_every_backend};

/// A conversation with images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Album {
    turns: u32,
    images: Vec<Blob>,
}

/// What an older build takes it for.
mod older {
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    pub(super) struct Album {
        pub(super) turns: u32,
        #[serde(flatten)]
        pub(super) rest: serde_json::Map<String, serde_json::Value>,
    }
}

impl Album {
    fn of<const N: usize>(images: [&Blob; N]) -> Self {
        Self { turns: 0, images: images.map(Clone::clone).into() }
    }
}

/// Bytes of every value, and more than what goes inline anywhere.
fn image(number: u8) -> Blob {
    let bytes: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8 ^ number).collect();
    Blob::new(bytes).with_media_type("image/png")
}

#[robust(persist = manager, retry = 2, backoff = "1ms")]
async fn show(
    state: &mut Album,
    manager: &StateManager,
    user_id: &str,
    image: &Blob,
    is_liked: bool,
) -> anyhow::Result<usize> {
    state.turns += 1;
    state.images.push(image.clone());
    anyhow::ensure!(is_liked, "not that one");
    Ok(state.images.len())
}

async fn put(manager: &StateManager, key: &StateKey, album: Album) {
    let mut call = manager.begin::<Album>(key).await.unwrap();
    call.state = Album { turns: call.state.turns + 1, ..album };
    call.commit().await.unwrap();
}

async fn album(manager: &StateManager, key: &StateKey) -> Album {
    manager.load_state::<Album>(key).await.unwrap().unwrap().state
}

/// What is stored beside a state.
async fn stored(manager: &StateManager, key: &StateKey) -> Vec<BlobId> {
    let mut ids = manager.backend().blobs().unwrap().list_blobs(key).await.unwrap();
    ids.sort_unstable();
    ids
}

fn ids<const N: usize>(images: [&Blob; N]) -> Vec<BlobId> {
    let mut ids = images.map(Blob::id).to_vec();
    ids.sort_unstable();
    ids
}

async fn saves(manager: &StateManager, key: &StateKey, album: &Album, count: usize) {
    for _ in 0..count {
        put(manager, key, album.clone()).await;
    }
}

/// Polls a future so many times, and drops it unless that was its end.
async fn ends_within(polls: usize, future: Pin<Box<impl Future>>) -> bool {
    let (mut future, mut left) = (future, polls);
    poll_fn(|context| {
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

on_every_backend! {
    async fn a_blob_comes_back_equal_and_is_stored_once(place: Place) {
        let (manager, key) = (place.manager(), key("alice"));
        let (one, empty) = (image(1), Blob::new(""));
        for _ in 0..3 {
            put(&manager, &key, Album::of([&one, &empty, &one])).await;
        }
        assert_eq!(stored(&manager, &key).await, ids([&one, &empty]));
        for manager in [manager, place.manager()] {
            let found = album(&manager, &key).await.images;
            assert_eq!(found, [one.clone(), empty.clone(), one.clone()]);
            assert_eq!((found[0].len(), found[0].media_type()), (300_000, Some("image/png")));
            assert_eq!(found[0].load().await.unwrap(), one.load().await.unwrap());
            assert!(found[1].load().await.unwrap().is_empty());
        }
    }

    async fn a_state_that_is_loaded_is_saved_without_its_bytes(place: Place) {
        let (manager, key) = (place.manager(), key("alice"));
        show(&manager, "alice", &image(1), true).await.unwrap();
        let cold = place.manager();
        assert_eq!(show(&cold, "alice", &image(2), true).await.unwrap(), 2);
        let found = album(&manager, &key).await;
        assert_eq!(found.images, [image(1), image(2)]);
        assert_eq!(found.images[0].load().await.unwrap(), image(1).load().await.unwrap());
        let metadata = manager.load_metadata(&key).await.unwrap().unwrap();
        assert_eq!(metadata.blob_ids, Some(vec![image(1).id(), image(2).id()]));
    }

    async fn a_body_that_fails_stores_no_blob(place: Place) {
        let (manager, key) = (place.manager(), key("alice"));
        show(&manager, "alice", &image(1), true).await.unwrap();
        show(&manager, "alice", &image(2), false).await.unwrap_err();
        assert_eq!(album(&manager, &key).await.images, [image(1)]);
        assert_eq!(stored(&manager, &key).await, ids([&image(1)]));
    }

    async fn a_save_that_is_refused_leaves_no_blob(place: Place) {
        let (manager, key) = (place.manager(), key("alice"));
        put(&manager, &key, Album::of([&image(1)])).await;
        let refused = manager.save_state(&key, Album::of([&image(2)]), None).await;
        assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
        assert_eq!(stored(&manager, &key).await, ids([&image(1)]));
    }

    async fn a_blob_goes_when_nothing_names_it(place: Place) {
        let (manager, key) = (place.manager(), key("alice"));
        put(&manager, &key, Album::of([&image(1), &image(2)])).await;
        // One of them sweeps.
        saves(&manager, &key, &Album::of([&image(2)]), 16).await;
        if manager.backend().history().is_some() {
            assert_eq!(stored(&manager, &key).await, ids([&image(1), &image(2)]));
            let history = manager.history(&key);
            let then = history.load::<Album>(Moment::Version(1)).await.unwrap().unwrap().state;
            assert_eq!(then.images[0].load().await.unwrap(), image(1).load().await.unwrap());
            // Where the newest version is a change it keeps the one before.
            saves(&manager, &key, &Album::default(), 3).await;
            assert!(history.prune(Retention::Versions(1)).await.unwrap() > 0);
            let left = history.load::<Album>(Moment::Version(2)).await.is_ok();
            assert_eq!(stored(&manager, &key).await.contains(&image(2).id()), left);
            history.prune(Retention::Age(Duration::ZERO)).await.unwrap();
            let gone = then.images[0].load().await;
            assert!(matches!(gone, Err(Error::BlobMissing { .. })), "{gone:?}");
        }
        put(&manager, &key, Album::of([&image(2)])).await;
        assert!(!stored(&manager, &key).await.contains(&image(1).id()));
        manager.erase(&key).await.unwrap();
        assert_eq!(stored(&manager, &key).await, []);
    }

    async fn what_pruning_saves_leave_is_swept_by_later_ones(place: Place) {
        let (manager, key) = (place.manager(), key("alice"));
        put(&manager, &key, Album::of([&image(1)])).await;
        // So many that the newest does not need the first.
        saves(&manager, &key, &Album::of([&image(2)]), 20).await;
        if let Some(history) = manager.backend().history() {
            // As saves do now and then, without a word to the manager.
            let retention = Retention::Age(Duration::ZERO);
            history.prune_history(&key, retention).await.unwrap();
        }
        saves(&manager, &key, &Album::of([&image(2)]), 16).await;
        assert_eq!(stored(&manager, &key).await, ids([&image(2)]));
    }

    async fn versions_come_back_and_are_forked_with_their_blobs(place: Place) {
        let (manager, key) = (place.manager(), key("alice"));
        if manager.backend().history().is_none() {
            return;
        }
        put(&manager, &key, Album::of([&image(1)])).await;
        put(&manager, &key, Album::default()).await;
        let other = StateKey::new("alice", "what if").unwrap();
        manager.history(&key).fork(Moment::Version(1), &other).await.unwrap();
        manager.history(&key).restore(Moment::Version(1)).await.unwrap();
        manager.erase(&key).await.unwrap();
        let forked = album(&place.manager(), &other).await;
        assert_eq!(forked.images[0].load().await.unwrap(), image(1).load().await.unwrap());
        assert_eq!(stored(&manager, &other).await, ids([&image(1)]));
    }

    async fn a_version_that_comes_back_has_its_blobs(place: Place) {
        let (manager, key) = (place.manager(), key("alice"));
        if manager.backend().history().is_none() {
            return;
        }
        put(&manager, &key, Album::of([&image(1)])).await;
        put(&manager, &key, Album::of([&image(2)])).await;
        manager.history(&key).restore(Moment::Version(1)).await.unwrap();
        manager.history(&key).prune(Retention::Age(Duration::ZERO)).await.unwrap();
        let found = album(&place.manager(), &key).await.images;
        assert_eq!(found[0].load().await.unwrap(), image(1).load().await.unwrap());
        let metadata = manager.load_metadata(&key).await.unwrap().unwrap();
        assert_eq!(metadata.blob_ids, Some(vec![image(1).id()]));
    }

    async fn what_is_set_aside_keeps_its_blobs_until_it_is_dropped(place: Place) {
        let by = |llm: &'static str| {
            place.builder().llm(llm).on_llm_change(OnLlmChange::Reset).build()
        };
        let key = key("alice");
        put(&by("a/1"), &key, Album::of([&image(1)])).await;
        put(&by("b/1"), &key, Album::of([&image(2)])).await;
        let manager = place.manager();
        // No version names the first one any more.
        if manager.backend().history().is_some() {
            manager.history(&key).prune(Retention::Versions(1)).await.unwrap();
        }
        saves(&by("b/1"), &key, &Album::of([&image(2)]), 16).await;
        assert_eq!(stored(&manager, &key).await, ids([&image(1), &image(2)]));
        // The first one is back, and with it what it showed.
        let call = by("a/1").begin::<Album>(&key).await.unwrap();
        let shown = call.state.images[0].load().await.unwrap();
        assert_eq!(shown, image(1).load().await.unwrap());
        call.rollback().await;
        for aside in manager.quarantined_of("alice").await.unwrap() {
            manager.drop_aside(&aside).await.unwrap();
        }
        manager.erase(&key).await.unwrap();
        assert_eq!(stored(&manager, &key).await, []);
    }

    async fn a_type_that_has_a_blob_as_plain_json_keeps_it(place: Place) {
        let (manager, key) = (place.manager(), key("alice"));
        put(&manager, &key, Album::of([&image(1)])).await;
        for _ in 0..20 {
            let mut call = manager.begin::<older::Album>(&key).await.unwrap();
            call.state.turns += 1;
            call.commit().await.unwrap();
        }
        manager.history(&key).prune(Retention::Age(Duration::ZERO)).await.ok();
        let found = album(&manager, &key).await;
        assert_eq!((found.turns, found.images[0].load().await.unwrap()), (21, image(1).load().await.unwrap()));
        // One that drops it lets it go.
        let mut call = manager.begin::<older::Album>(&key).await.unwrap();
        call.state.rest.clear();
        call.commit().await.unwrap();
        manager.history(&key).prune(Retention::Age(Duration::ZERO)).await.ok();
        assert_eq!(stored(&manager, &key).await, []);
    }

    async fn a_blob_may_be_handed_on_to_another_state(place: Place) {
        let (manager, other) = (place.manager(), key("bob"));
        put(&manager, &key("alice"), Album::of([&image(1)])).await;
        let found = album(&manager, &key("alice")).await.images.remove(0);
        put(&manager, &other, Album::of([&found])).await;
        manager.erase(&key("alice")).await.unwrap();
        let found = album(&place.manager(), &other).await.images.remove(0);
        assert_eq!(found.load().await.unwrap(), image(1).load().await.unwrap());
    }

    async fn a_blob_whose_bytes_nobody_knows_is_refused(place: Place) {
        let (manager, key) = (place.manager(), key("alice"));
        put(&manager, &key, Album::of([&image(1)])).await;
        let found = album(&manager, &key).await;
        let json = serde_json::to_string(&found).unwrap();
        assert!(!json.contains("data"), "{json}");
        let copied: Album = serde_json::from_str(&json).unwrap();
        let unknown = copied.images[0].load().await;
        assert!(matches!(unknown, Err(Error::Config { .. })), "{unknown:?}");
        // Under its own key it is found.
        put(&manager, &key, copied.clone()).await;
        let other = StateKey::new("bob", "default").unwrap();
        let refused = manager.save_state(&other, copied, None).await;
        assert!(matches!(refused, Err(Error::BlobMissing { .. })), "{refused:?}");
        assert!(manager.load_metadata(&other).await.unwrap().is_none());
    }

    async fn a_save_that_is_dropped_at_any_await_names_no_blob_that_is_not_there(place: Place) {
        let manager = place.manager();
        for polls in 1.. {
            let key = StateKey::new("alice", polls.to_string()).unwrap();
            let mut call = manager.begin::<Album>(&key).await.unwrap();
            call.state.images.push(image(1));
            let is_over = ends_within(polls, Box::pin(call.commit())).await;
            // Waits for a save that goes on.
            let call = manager.begin::<Album>(&key).await.unwrap();
            for image in &call.state.images {
                image.load().await.unwrap();
            }
            call.rollback().await;
            if is_over {
                break;
            }
        }
    }

    async fn a_blob_that_is_too_large_is_refused_before_anything_is_written(place: Place) {
        let (manager, key) = (place.manager(), key("alice"));
        let large = Blob::new(vec![7; cogency_state::MAX_BLOB_BYTES + 1]);
        let refused = manager.save_state(&key, Album::of([&large, &image(1)]), None).await;
        let error = refused.unwrap_err();
        assert!(matches!(error, Error::Encode { .. }), "{error:?}");
        assert!(error.to_string().contains("67108864 are allowed"), "{error}");
        assert_eq!(stored(&manager, &key).await, []);
    }

    async fn what_is_erased_leaves_no_blob_anywhere(place: Place) {
        let (manager, key) = (place.manager(), key("alice"));
        let secret = Blob::new("hunter2".repeat(1000));
        put(&manager, &key, Album::of([&secret])).await;
        put(&manager, &key, Album::default()).await;
        assert!(manager.erase(&key).await.unwrap());
        assert_eq!(stored(&manager, &key).await, []);
        assert!(!place.files().iter().any(|file| file.contains("hunter2")));
    }

    async fn a_state_that_expires_takes_its_blobs_along(place: Place) {
        let ttl = Duration::from_millis(300);
        let (manager, key) = (place.builder().ttl(ttl).build(), key("alice"));
        put(&manager, &key, Album::of([&image(1)])).await;
        let begun = tokio::time::Instant::now();
        // On Redis a state with blobs lives for one lease at least.
        while manager.load_state::<Album>(&key).await.unwrap().is_some() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not expire");
            tokio::time::sleep(ttl / 4).await;
        }
        let manager = place.manager();
        put(&manager, &key, Album::of([&image(2)])).await;
        // The history of a database outlives what expires.
        if manager.backend().capabilities().queries {
            manager.history(&key).prune(Retention::Age(Duration::ZERO)).await.unwrap();
        }
        let left = stored(&manager, &key).await;
        assert!(!left.contains(&image(1).id()), "{left:?}");
        let found = album(&manager, &key).await.images;
        assert_eq!(found[0].load().await.unwrap(), image(2).load().await.unwrap());
    }
}

#[tokio::test]
async fn contents_of_blobs_are_shown_nowhere() {
    let blob = Blob::new("hunter2").with_media_type("text/plain");
    let manager = Place::memory().manager();
    put(&manager, &key("alice"), Album::of([&blob])).await;
    let loaded = album(&manager, &key("alice")).await;
    for shown in [format!("{blob:?}"), format!("{loaded:?}"), format!("{manager:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    assert!(format!("{blob:?}").contains("text/plain"));
}
