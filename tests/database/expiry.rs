//! States that expire, in a database.

use std::time::Duration;

use bytes::Bytes;
use cogency_state::{BlobId, StateBackend as _};

use crate::places::Database;
use crate::{key, lease, save, write};

const TTL: Duration = Duration::from_millis(300);

#[tokio::test]
async fn what_has_expired_is_hidden_and_then_removed_by_a_call() {
    for database in Database::each() {
        let backend = database.connect().await;
        for user in ["alice", "bob", "carol"] {
            let lease = lease(&backend, &key(user)).await;
            let write = write(&key(user), None, "1").with_ttl(Some(TTL));
            backend.save_and_release(&lease, &write).await.unwrap();
        }
        save(&backend, &key("dave"), "1").await;
        // What somebody is at work on stays.
        let held = lease(&backend, &key("carol")).await;
        tokio::time::sleep(TTL * 2).await;
        assert_eq!(backend.load_state(&key("alice")).await.unwrap(), None);
        assert_eq!(database.number("SELECT COUNT(*) FROM {p}states"), 4, "{}", database.name);
        assert_eq!(backend.remove_expired().await.unwrap(), 2, "{}", database.name);
        assert_eq!(database.number("SELECT COUNT(*) FROM {p}states"), 2, "{}", database.name);
        backend.release_lease(&held).await.unwrap();
        assert_eq!(backend.remove_expired().await.unwrap(), 1, "{}", database.name);
        assert_eq!(backend.list_states("dave").await.unwrap(), [key("dave")]);
    }
}

#[tokio::test]
async fn the_blobs_of_what_has_expired_are_removed_too() {
    for database in Database::each() {
        let backend = database.builder().without_history().connect().await.unwrap();
        let blobs = backend.blobs().unwrap();
        let bytes = Bytes::from_static(b"an image");
        let id = BlobId::of(&bytes);
        for (user, ttl) in [("alice", Some(TTL)), ("bob", Some(TTL)), ("carol", None)] {
            let lease = lease(&backend, &key(user)).await;
            blobs.save_blob(&lease, id, &bytes).await.unwrap();
            let write = write(&key(user), None, "1").with_ttl(ttl);
            backend.save_and_release(&lease, &write).await.unwrap();
        }
        tokio::time::sleep(TTL * 2).await;
        // Somebody is about to save a state that names it.
        let held = lease(&backend, &key("bob")).await;
        backend.remove_expired().await.unwrap();
        let left = async |user| blobs.list_blobs(&key(user)).await.unwrap();
        assert_eq!(left("alice").await, [], "{}", database.name);
        assert_eq!((left("bob").await, left("carol").await), (vec![id], vec![id]));
        backend.release_lease(&held).await.unwrap();
        backend.remove_expired().await.unwrap();
        assert_eq!(left("bob").await, [], "{}", database.name);
    }
}

#[tokio::test]
async fn a_ttl_that_no_clock_reaches_is_none() {
    for database in Database::each() {
        let backend = database.connect().await;
        for ttl in [Duration::MAX, Duration::from_secs(u64::MAX / 2)] {
            let lease = lease(&backend, &key("alice")).await;
            let found = backend.load_state(&key("alice")).await.unwrap();
            let write = write(&key("alice"), found.map(|found| found.revision), "1");
            backend.save_and_release(&lease, &write.with_ttl(Some(ttl))).await.unwrap();
            assert!(backend.load_state(&key("alice")).await.unwrap().is_some());
            let expiring = "SELECT COUNT(*) FROM {p}states WHERE expires_at IS NOT NULL";
            assert_eq!(database.number(expiring), 0, "{}", database.name);
        }
    }
}
