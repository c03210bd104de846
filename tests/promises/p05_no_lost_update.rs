//! 5. No lost update: every save is a compare-and-set.

use cogency_state::{Error, StateManager, robust};

use crate::places::{key, on_every_backend};

#[robust(persist = manager)]
async fn count(state: &mut u64, manager: &StateManager, user_id: &str) -> Result<u64, Error> {
    let before = *state;
    tokio::task::yield_now().await;
    *state = before + 1;
    Ok(*state)
}

on_every_backend! {
    async fn a_stale_save_gets_a_conflict_with_both_versions(place: Place) {
        let (one, other) = (place.manager(), place.manager());
        let first = one.save_state(&key("alice"), 1_u64, None).await.unwrap();
        let second = other.save_state(&key("alice"), 2_u64, Some(first)).await.unwrap();
        let stale = one.save_state(&key("alice"), 3_u64, Some(first)).await.unwrap_err();
        let Error::Conflict { expected, found, .. } = stale else { panic!("{stale}") };
        assert_eq!((expected, found), (1, 2));
        let loaded = one.load_state::<u64>(&key("alice")).await.unwrap().unwrap();
        assert_eq!((loaded.state, loaded.revision), (2, second));
    }

    async fn a_save_over_nothing_does_not_overwrite_something(place: Place) {
        let manager = place.manager();
        manager.save_state(&key("alice"), 1_u64, None).await.unwrap();
        let error = manager.save_state(&key("alice"), 2_u64, None).await.unwrap_err();
        let Error::Conflict { expected, found, .. } = error else { panic!("{error}") };
        assert_eq!((expected, found), (0, 1));
    }

    async fn a_state_that_was_deleted_and_made_anew_is_not_the_old_one(place: Place) {
        let manager = place.manager();
        let first = manager.save_state(&key("alice"), 1_u64, None).await.unwrap();
        assert!(manager.delete_state(&key("alice")).await.unwrap());
        let anew = manager.save_state(&key("alice"), 2_u64, None).await.unwrap();
        assert_eq!(first.version, anew.version);
        let error = manager.save_state(&key("alice"), 3_u64, Some(first)).await.unwrap_err();
        assert!(matches!(error, Error::Conflict { .. }), "{error}");
    }

    async fn calls_of_many_tasks_count_exactly(place: Place) {
        let tasks: Vec<_> = (0..8).map(|_| {
            let manager = place.manager();
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                for _ in 0..25 {
                    numbers.push(count(&manager, "alice").await.unwrap());
                }
                numbers
            })
        }).collect();
        let mut numbers = Vec::new();
        for task in tasks {
            numbers.extend(task.await.unwrap());
        }
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(1..=200), "every number is seen once");
    }
}
