//! 14. Private: what is erased is nowhere any more.

use std::time::Duration;

use cogency_state::{Error, Moment, OnUnreadable, StateManager};
use tokio::time::sleep;

use crate::places::{key, on_every_backend};

const SECRET: &str = "hunter2";

fn secrets() -> Vec<String> {
    vec![SECRET.to_owned()]
}

/// A state with versions before it, and another one that was set aside.
async fn fill(manager: &StateManager, user: &str) {
    let key = key(user);
    let first = manager.save_state(&key, secrets(), None).await.unwrap();
    manager.save_state(&key, [secrets(), secrets()].concat(), Some(first)).await.unwrap();
    let mut call = manager.begin::<String>(&key).await.unwrap();
    SECRET.clone_into(&mut call.state);
    call.commit().await.unwrap();
    let mut call = manager.begin::<String>(&key).await.unwrap();
    call.state.push_str(SECRET);
    call.commit().await.unwrap();
}

/// That a history tells that there was a state, and has none of its versions any more.
async fn has_no_versions(manager: &StateManager, user: &str) {
    let entries = entries_without_a_state(manager, user).await;
    assert!(entries.is_none_or(|entries| entries > 0), "a history tells that there was a state");
}

/// How many entries a history has, where one is kept, none of which has a state.
async fn entries_without_a_state(manager: &StateManager, user: &str) -> Option<usize> {
    let key = key(user);
    let history = manager.history(&key);
    let entries = match history.list(None, 100).await {
        Err(Error::NoHistory { .. }) => return None,
        entries => entries.unwrap(),
    };
    for entry in &entries {
        let found = history.load::<serde_json::Value>(Moment::Entry(entry.sequence)).await;
        assert!(!matches!(found, Ok(Some(_))), "{entry:?}");
    }
    history.verify().await.unwrap();
    Some(entries.len())
}

on_every_backend! {
    async fn what_was_erased_is_nowhere_and_other_keys_are_as_they_were(place: Place) {
        let manager = place.builder().on_unreadable(OnUnreadable::Quarantine).build();
        fill(&manager, "alice").await;
        fill(&manager, "bob").await;
        assert_eq!(manager.quarantined().await.unwrap().len(), 2);

        assert!(manager.erase(&key("alice")).await.unwrap());
        assert!(manager.load_state::<String>(&key("alice")).await.unwrap().is_none());
        assert!(manager.quarantined_of("alice").await.unwrap().is_empty());
        has_no_versions(&manager, "alice").await;
        assert!(!manager.erase(&key("alice")).await.unwrap(), "it is erased already");

        let loaded = manager.load_state::<String>(&key("bob")).await.unwrap().unwrap();
        assert_eq!(loaded.state, SECRET.repeat(2));
        assert_eq!(manager.quarantined_of("bob").await.unwrap().len(), 1);
        assert!(manager.erase(&key("bob")).await.unwrap());
        assert!(!place.files().iter().any(|file| file.contains(SECRET)), "{:?}", place.files());
    }

    async fn a_state_that_was_deleted_before_can_be_erased(place: Place) {
        let manager = place.manager();
        manager.save_state(&key("alice"), secrets(), None).await.unwrap();
        manager.delete_state(&key("alice")).await.unwrap();
        manager.erase(&key("alice")).await.unwrap();
        has_no_versions(&manager, "alice").await;
        assert!(!place.files().iter().any(|file| file.contains(SECRET)));
    }

    async fn a_state_that_expired_before_can_be_erased_and_made_anew(place: Place) {
        let manager = place.builder().ttl(Duration::from_millis(300)).build();
        let first = manager.save_state(&key("alice"), secrets(), None).await.unwrap();
        let second = [secrets(), secrets()].concat();
        manager.save_state(&key("alice"), second, Some(first)).await.unwrap();
        while manager.load_state::<Vec<String>>(&key("alice")).await.unwrap().is_some() {
            sleep(Duration::from_millis(50)).await;
        }
        manager.erase(&key("alice")).await.unwrap();
        let left = entries_without_a_state(&manager, "alice").await;
        assert_eq!(left, Some(0), "nothing of it stays");
        assert!(!place.files().iter().any(|file| file.contains(SECRET)), "{:?}", place.files());
        assert!(!manager.erase(&key("alice")).await.unwrap(), "it is erased already");

        let manager = place.manager();
        manager.save_state(&key("alice"), secrets(), None).await.unwrap();
        let verified = manager.history(&key("alice")).verify().await.unwrap();
        assert!(verified.is_current && verified.entries == 1, "{verified:?}");
    }
}
