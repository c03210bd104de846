//! Saves and deletes that replicas have to have.

use std::time::{Duration, Instant};

use cogency_state::{
    Error, Metadata, Record, RedisBackend, RedisBackendBuilder, RedisDurability, Revision,
    StateBackend as _, Write,
};
use cogency_state_tests::redis::RedisServer;

use crate::{impatient, key, lease};

/// A master, and a replica that follows it.
fn pair() -> (RedisServer, RedisServer) {
    let master = RedisServer::with(&["--repl-diskless-sync-delay", "0"]);
    let replica = RedisServer::with(&["--replicaof", "127.0.0.1", &master.port().to_string()]);
    while !master.run::<String>(&["INFO", "replication"]).contains("state=online") {
        std::thread::sleep(Duration::from_millis(10));
    }
    (master, replica)
}

/// One that gives up soon, always below the same prefix.
fn with_replicas(server: &RedisServer, replicas: u32) -> RedisBackendBuilder {
    let builder = impatient(&server.url()).prefix("agents").require_replicas(replicas);
    // A second for the replicas.
    builder.response_timeout(Duration::from_secs(2))
}

fn first_write(user_id: &str) -> Write {
    let (revision, metadata) = (Revision::after(None), Metadata::now());
    let record = Record::new(key(user_id), revision, None, metadata, "1".to_owned().into());
    Write::new(record, None)
}

/// Fails unless a save or a delete is in doubt, because of the replicas.
fn is_in_doubt<T: std::fmt::Debug>(result: Result<T, Error>) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
    assert!(error.to_string().contains("0 of the 1 replicas"), "{error}");
}

/// Repeats a save until it is no longer in doubt.
async fn settles(save: impl AsyncFn() -> Result<(), Error>) {
    let begun = Instant::now();
    while let Err(error) = save().await {
        assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{error}");
    }
}

#[tokio::test]
async fn a_save_that_the_replica_does_not_have_is_in_doubt_and_can_be_looked_at_and_settled() {
    let (master, replica) = pair();
    let backend = with_replicas(&master, 1).connect().await.unwrap();
    for release in [false, true] {
        let user = format!("release-{release}");
        let (held, write) = (lease(&backend, &key(&user)).await, first_write(&user));
        let save = async || {
            if release {
                backend.save_and_release(&held, &write).await
            } else {
                backend.save_state(&held, &write).await
            }
        };
        replica.pause();
        is_in_doubt(save().await);
        let found = backend.load_state(&key(&user)).await.unwrap().unwrap();
        assert_eq!(found.revision, write.record.revision);
        // The same save writes nothing more, and is in doubt as long as the replica is away.
        is_in_doubt(save().await);
        replica.resume();
        settles(save).await;
        assert_eq!(replica.run::<i32>(&["EXISTS", &format!("agents:state:{user}:default")]), 1);
    }
}

#[tokio::test]
async fn a_repeated_save_on_a_connection_that_never_wrote_is_in_doubt_too() {
    let (master, replica) = pair();
    let open = || with_replicas(&master, 1).build().unwrap();
    let (first, write) = (open(), first_write("alice"));
    let held = lease(&first, &key("alice")).await;
    replica.pause();
    is_in_doubt(first.save_state(&held, &write).await);
    is_in_doubt(open().save_state(&held, &write).await);
    replica.resume();
    settles(async || open().save_state(&held, &write).await).await;
}

#[tokio::test]
async fn a_delete_that_the_replica_does_not_have_is_in_doubt() {
    let (master, replica) = pair();
    let backend = with_replicas(&master, 1).connect().await.unwrap();
    let held = lease(&backend, &key("alice")).await;
    let write = first_write("alice");
    settles(async || backend.save_state(&held, &write).await).await;
    replica.pause();
    is_in_doubt(backend.delete_state(&held).await);
    assert!(backend.load_state(&key("alice")).await.unwrap().is_none());
    replica.resume();
    assert!(!backend.delete_state(&held).await.unwrap());
}

#[tokio::test]
async fn a_call_waits_for_a_replica_that_is_away_for_a_moment() {
    let (master, replica) = pair();
    let patient = with_replicas(&master, 1).response_timeout(Duration::from_secs(10));
    let manager = crate::strict(patient.connect().await.unwrap());
    replica.pause();
    let alice = key("alice");
    let saving = manager.save_state(&alice, 1_u32, None);
    let resuming = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        replica.resume();
    };
    let (saved, ()) = tokio::join!(saving, resuming);
    saved.unwrap();
}

#[tokio::test]
async fn a_master_with_fewer_replicas_is_refused_and_says_so() {
    let (master, _replica) = pair();
    with_replicas(&master, 1).connect().await.unwrap();
    let error = with_replicas(&master, 2).connect().await.unwrap_err();
    assert!(matches!(error, Error::Backend { operation: "connect", .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("2 replicas") && text.contains("1 are connected"), "{text}");
    // Nor does one that connects later get through, nor one of a replica.
    let later = with_replicas(&master, 2).build().unwrap();
    later.load_state(&key("alice")).await.unwrap_err();
}

#[tokio::test]
async fn replicas_and_the_disk_can_be_required_together() {
    let (master, replica) = pair();
    let url = |require| format!("{}?require={require}", master.url());
    for require in ["replicas(1)", "always,replicas(1)", "replicas(1),everysec"] {
        let backend = RedisBackend::connect(&url(require)).await.unwrap();
        crate::strict(backend).save_state(&key(require), 1_u32, None).await.unwrap();
    }
    master.run::<()>(&["CONFIG", "SET", "appendfsync", "everysec"]);
    let error = RedisBackend::connect(&url("always,replicas(1)")).await.unwrap_err();
    assert!(error.to_string().contains("`always`"), "{error}");
    let backend = RedisBackend::connect(&url("replicas(1)")).await.unwrap();
    assert_eq!(backend.durability().await.unwrap(), Some(RedisDurability::EverySecond));
    // A replica is none that takes writes.
    let follower = format!("{}?require=replicas(1)", replica.url());
    let error = RedisBackend::connect(&follower).await.unwrap_err();
    assert!(error.to_string().contains("no master"), "{error}");
}

#[tokio::test]
async fn a_user_who_may_not_ask_for_replicas_is_told_when_connecting() {
    let (master, _replica) = pair();
    let rights =
        "on >hunter2 ~agents:* +@scripting +@string +@hash +@stream +@keyspace +@connection +time";
    let give = |rights: &str| {
        let rights: Vec<_> = rights.split(' ').collect();
        master.run::<()>(&[&["ACL", "SETUSER", "agent"][..], &rights].concat());
    };
    let connect = || async {
        let url = master.url().replace("://", "://agent:hunter2@");
        let builder = impatient(&url).prefix("agents").require_replicas(1);
        builder.connect().await
    };
    for missing in [rights, "+role -wait"] {
        give(missing);
        let text = connect().await.unwrap_err().to_string();
        assert!(text.contains("NOPERM") && text.contains("access rules"), "{text}");
    }
    give("+wait");
    let manager = crate::strict(connect().await.unwrap());
    manager.save_state(&key("alice"), 1_u32, None).await.unwrap();
}
