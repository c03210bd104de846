//! Blobs of states that expire, are set aside, or went while somebody was away.

use std::time::{Duration, Instant};

use cogency_state::{
    Blob, Error, RedisBackend, Resolution, Revision, SpooledKind, StateBackend as _, StateManager,
    Write, robust,
};
use cogency_state_tests::redis::{RedisServer, fresh_prefix, shared};
use serde::{Deserialize, Serialize};

use crate::{failing, impatient, key, lease, strict};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Album {
    images: Vec<Blob>,
}

fn album() -> Album {
    Album { images: vec![Blob::new("an image")] }
}

#[robust(persist = manager, on_unreadable = quarantine)]
async fn count(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[tokio::test]
async fn blobs_do_not_expire_while_something_is_set_aside() {
    let prefix = fresh_prefix();
    let backend = RedisBackend::builder(&shared().url()).prefix(&*prefix).build().unwrap();
    let manager = failing(backend).ttl(Duration::from_secs(60)).build();
    let blobs = format!("{prefix}:blobs:{{{prefix}:state:alice:default}}");
    let expires_in = || shared().run::<i64>(&["PTTL", &blobs]);
    manager.save_state(&key("alice"), album(), None).await.unwrap();
    assert!(expires_in() > 0);
    count(&manager, "alice").await.unwrap();
    assert_eq!(expires_in(), -1);
    manager.delete_state(&key("alice")).await.unwrap();
    let revision = manager.save_state(&key("alice"), album(), None).await.unwrap();
    assert_eq!(expires_in(), -1);
    let aside = manager.quarantined().await.unwrap().into_iter();
    for aside in aside.filter(|aside| aside.key == key("alice")) {
        assert!(manager.drop_aside(&aside).await.unwrap());
    }
    manager.save_state(&key("alice"), album(), Some(revision)).await.unwrap();
    assert!(expires_in() > 0);
}

#[tokio::test]
async fn a_blob_that_went_with_its_state_is_a_conflict() {
    let backend = RedisBackend::builder(&shared().url()).prefix(fresh_prefix()).build().unwrap();
    let manager = strict(backend.clone());
    manager.save_state(&key("alice"), album(), None).await.unwrap();
    let mut record = backend.load_state(&key("alice")).await.unwrap().unwrap();
    let expected = Some(record.revision);
    assert!(manager.erase(&key("alice")).await.unwrap());
    let lease = lease(&backend, &key("alice")).await;
    record.revision = Revision::after(expected);
    let error = backend.save_state(&lease, &Write::new(record, expected)).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { expected: 1, found: 0, .. }), "{error}");
}

/// Until then every call on the key would fail.
#[tokio::test]
async fn a_spooled_state_whose_blob_is_gone_is_kept_and_calls_go_on() {
    let server = RedisServer::start();
    let folder = tempfile::tempdir().unwrap();
    let backend = impatient(&server.url()).prefix("p").build().unwrap();
    let manager = StateManager::builder(backend).spool_dir(folder.path()).build();
    manager.save_state(&key("alice"), album(), None).await.unwrap();
    let call = manager.begin::<Album>(&key("alice")).await.unwrap();
    // Nobody's sweep: it is damaged, under the record that names it.
    server.run::<()>(&["DEL", "p:blobs:{p:state:alice:default}"]);
    server.kill();
    assert!(call.commit().await.unwrap().is_spooled());
    server.restart();
    let begun = Instant::now();
    // It is sent once the breaker has found that the server is back.
    let kept = loop {
        let call = manager.begin::<Album>(&key("alice")).await.unwrap();
        call.rollback().await;
        let kept = manager.spool().await.unwrap();
        if matches!(kept[0].kind, SpooledKind::Conflict { .. }) {
            break kept;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{kept:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    manager.resolve(&kept[0], Resolution::Theirs).await.unwrap();
}
