//! Histories, and what else a manager does.

use cogency_state::{Error, Moment, Retention, StateManager, robust};

use crate::key;
use crate::places::Database;

#[robust(persist = manager, actor = actor, phase = "reasoning")]
async fn count(
    state: &mut u32,
    manager: &StateManager,
    user_id: &str,
    actor: &str,
) -> Result<(), Error> {
    *state += 1;
    Ok(())
}

/// Who made a version is not who brings it back.
#[tokio::test]
async fn a_restored_or_forked_version_is_not_ascribed_to_who_made_it() {
    for database in Database::each() {
        let manager = StateManager::new(database.connect().await);
        let history = manager.history(&key("alice"));
        count(&manager, "alice", "mallory").await.unwrap();
        count(&manager, "alice", "bob").await.unwrap();
        history.restore(Moment::Version(1)).await.unwrap();
        history.fork(Moment::Version(1), &key("carol")).await.unwrap();
        for user in ["alice", "carol"] {
            let newest = manager.history(&key(user)).list(None, 1).await.unwrap().remove(0);
            assert_eq!((newest.actor, newest.phase), (None, None), "{user} {}", database.name);
        }
    }
}

#[tokio::test]
async fn the_history_of_a_manager_that_is_off_is_neither_told_nor_changed() {
    for database in Database::each() {
        let manager = StateManager::new(database.connect().await);
        let history = manager.history(&key("alice"));
        for _ in 0..3 {
            count(&manager, "alice", "bob").await.unwrap();
        }
        manager.set_enabled(false);
        assert!(history.list(None, 9).await.unwrap().is_empty());
        assert!(history.load::<u32>(Moment::Version(1)).await.unwrap().is_none());
        assert_eq!(history.prune(Retention::Versions(1)).await.unwrap(), 0);
        let restored = history.restore(Moment::Version(1)).await;
        assert!(matches!(restored, Err(Error::Config { .. })), "{restored:?}");
        let forked = history.fork(Moment::Version(1), &key("carol")).await;
        assert!(matches!(forked, Err(Error::Config { .. })), "{forked:?}");
        manager.set_enabled(true);
        assert_eq!(history.list(None, 9).await.unwrap().len(), 3, "{}", database.name);
        assert!(manager.list_states("carol").await.unwrap().is_empty());
    }
}
