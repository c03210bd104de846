//! 7. No deadlock.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use cogency_state::{Error, FileBackend, StateBackend, StateManager, robust};
use tokio::sync::Barrier;

use crate::places::on_every_backend;

#[robust(persist = manager)]
async fn inner(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[robust(persist = manager)]
async fn outer(
    state: &mut u32,
    manager: &StateManager,
    user_id: &str,
    other: &str,
) -> Result<u32, Error> {
    *state += 1;
    inner(manager, other).await
}

#[robust(persist = manager)]
async fn through(
    state: &mut u32,
    manager: &StateManager,
    other: &StateManager,
    user_id: &str,
) -> Result<u32, Error> {
    *state += 1;
    inner(other, user_id).await
}

#[robust(persist = manager, session = session)]
async fn deep(
    state: &mut u32,
    manager: &StateManager,
    user_id: &str,
    session: u32,
) -> Result<u32, Error> {
    *state += 1;
    if session == 0 {
        inner_session(manager, user_id, 2).await
    } else {
        Box::pin(deep(manager, user_id, session - 1)).await
    }
}

#[robust(persist = manager, session = session)]
async fn inner_session(
    state: &mut u32,
    manager: &StateManager,
    user_id: &str,
    session: u32,
) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[robust(persist = manager, wait = "300ms")]
async fn spawning(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    let (manager, user_id) = (manager.clone(), user_id.to_owned());
    tokio::spawn(async move { patient(&manager, &user_id).await }).await.unwrap()
}

#[robust(persist = manager, wait = "300ms")]
async fn patient(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

/// Holds one key, meets the other call, and asks for its key.
#[robust(persist = manager)]
async fn crossing(
    state: &mut u32,
    manager: &StateManager,
    user_id: &str,
    other: &str,
    meet: &Barrier,
) -> Result<u32, Error> {
    *state += 1;
    meet.wait().await;
    patient(manager, other).await
}

#[tokio::test]
async fn a_file_key_is_the_same_however_its_folder_is_spelled() {
    let folder = tempfile::tempdir().unwrap();
    let [data, link] = ["data", "link"].map(|name| folder.path().join(name));
    std::fs::create_dir(&data).unwrap();
    std::os::unix::fs::symlink(&data, &link).unwrap();
    let dotted = folder.path().join("link/../data/.");
    for spelled in [link.join("new"), dotted.join("new")] {
        let (one, other) = (FileBackend::new(data.join("new")), FileBackend::new(spelled));
        assert_eq!(one.location(), other.location());
        let (one, other) = (StateManager::new(one), StateManager::new(other));
        let error = through(&one, &other, "alice").await.unwrap_err();
        assert!(matches!(error, Error::Reentrant { .. }), "{error}");
    }
}

#[test]
fn two_folders_whose_names_are_not_text_are_two_places() {
    let folder = |name: &[u8]| FileBackend::new(OsStr::from_bytes(name));
    assert_ne!(folder(b"q\xff").location(), folder(b"q\xfe").location());
}

on_every_backend! {
    async fn a_call_for_a_key_that_its_task_holds_is_refused_at_once(place: Place) {
        let manager = place.manager();
        let started = Instant::now();
        let error = outer(&manager, "alice", "alice").await.unwrap_err();
        assert!(matches!(error, Error::Reentrant { .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5));
        assert_eq!(inner(&manager, "alice").await.unwrap(), 1);
    }

    async fn the_key_is_the_same_through_another_manager(place: Place) {
        let error = through(&place.manager(), &place.manager(), "alice").await.unwrap_err();
        assert!(matches!(error, Error::Reentrant { .. }), "{error}");
    }

    async fn a_key_that_is_held_three_calls_up_is_found(place: Place) {
        let error = deep(&place.manager(), "alice", 3).await.unwrap_err();
        assert!(matches!(error, Error::Reentrant { .. }), "{error}");
    }

    async fn another_key_inside_a_call_is_fine(place: Place) {
        let manager = place.manager();
        assert_eq!(outer(&manager, "alice", "bob").await.unwrap(), 1);
        assert_eq!(inner(&manager, "alice").await.unwrap(), 2);
    }

    async fn calls_that_are_joined_in_one_task_wait_for_each_other(place: Place) {
        let manager = place.manager();
        let (one, two) = tokio::join!(inner(&manager, "alice"), inner(&manager, "alice"));
        assert_eq!([one.unwrap(), two.unwrap()], [1, 2]);
    }

    async fn a_call_for_the_same_key_in_a_task_of_its_own_ends_in_a_bounded_wait(place: Place) {
        let manager = place.manager();
        let error = spawning(&manager, "alice").await.unwrap_err();
        assert!(matches!(error, Error::LeaseTimeout { .. }), "{error}");
        assert_eq!(inner(&manager, "alice").await.unwrap(), 1);
    }

    async fn keys_that_are_nested_in_opposite_orders_end_in_a_bounded_wait(place: Place) {
        let (manager, meet) = (place.manager(), Barrier::new(2));
        let (one, two) = tokio::join!(
            crossing(&manager, "alice", "bob", &meet),
            crossing(&manager, "bob", "alice", &meet),
        );
        let refused = [&one, &two].into_iter().filter(|end| end.is_err()).count();
        assert!(refused >= 1);
        for error in [one, two].into_iter().filter_map(Result::err) {
            assert!(matches!(error, Error::LeaseTimeout { .. }), "{error}");
        }
        inner(&manager, "alice").await.unwrap();
        inner(&manager, "bob").await.unwrap();
    }
}
