//! Sentinels: who they name is used, and nobody else.

use std::time::Duration;

use cogency_state::{Error, RedisBackend, StateBackend as _, StateManager, robust};
use cogency_state_tests::redis::{Authority, MASTER, Sentinels};

use crate::{all_of, impatient, key};

#[robust(persist = manager)]
async fn count(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[tokio::test]
async fn the_master_that_sentinels_name_is_used_with_passwords_of_both() {
    const RIGHT: &str = "&sentinel_password=swordfish";
    let sentinels = Sentinels::with_passwords("hunter2", "swordfish");
    let url = |of_servers: &str, of_sentinels: &str| {
        let url = sentinels.url_with(&format!(":{of_servers}@"));
        format!("{url}/0?prefix=agents{of_sentinels}")
    };
    let backend = RedisBackend::connect(&url("hunter2", RIGHT)).await.unwrap();
    let location = format!("/{MASTER}/0/agents");
    assert!(backend.location().ends_with(&location), "{}", backend.location());
    let manager = crate::strict(backend.clone());
    assert_eq!(count(&manager, "alice").await.unwrap(), 1);
    assert_eq!(manager.list_states("alice").await.unwrap(), [key("alice")]);
    let shown = format!("{backend:?} {}", backend.location());
    assert!(!shown.contains("hunter2") && !shown.contains("swordfish"), "{shown}");

    for (of_servers, of_sentinels, saying) in [
        ("wrong", RIGHT, "user and password"),
        ("hunter2", "&sentinel_password=wrong", "user and password"),
        ("hunter2", "", "NOAUTH"),
    ] {
        let error = RedisBackend::connect(&url(of_servers, of_sentinels)).await.unwrap_err();
        let text = all_of(&error);
        assert!(text.contains(saying), "{text}");
        assert!(!text.contains("hunter2") && !text.contains("swordfish"), "{text}");
    }
}

#[tokio::test]
async fn a_master_that_became_a_replica_is_refused_until_the_sentinels_have_agreed() {
    let sentinels = Sentinels::start();
    let [master, replica] = sentinels.servers();
    let connect = || async { impatient(&sentinels.url()).connect().await };
    let manager = crate::strict(connect().await.unwrap());
    assert_eq!(count(&manager, "alice").await.unwrap(), 1);
    // Behind the sentinels' backs: both follow each other, and nobody takes writes.
    master.run::<()>(&["REPLICAOF", "127.0.0.1", &replica.port().to_string()]);
    let error = count(&manager, "alice").await.unwrap_err();
    assert!(matches!(error, Error::Backend { .. }), "{error}");
    assert!(error.to_string().contains("master"), "{error}");
    let error = connect().await.unwrap_err();
    assert!(error.to_string().contains("it is no master"), "{error}");
    // Who has more patience waits until there is a master again.
    master.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    let patient = RedisBackend::connect(&format!("{}/0?prefix=other", sentinels.url())).await;
    let patient = crate::strict(patient.unwrap());
    assert_eq!(count(&patient, "alice").await.unwrap(), 1);
    master.run::<()>(&["REPLICAOF", "127.0.0.1", &replica.port().to_string()]);
    let calling = tokio::spawn(async move { count(&patient, "alice").await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    master.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    assert_eq!(calling.await.unwrap().unwrap(), 2);
    assert_eq!(count(&manager, "alice").await.unwrap(), 2);
}

#[tokio::test]
async fn sentinels_that_are_away_or_know_no_such_master_get_a_clear_error() {
    let sentinels = Sentinels::start();
    let unknown = sentinels.url().replace(MASTER, "other");
    let error = RedisBackend::connect(&unknown).await.unwrap_err();
    assert!(matches!(error, Error::Backend { operation: "connect", .. }), "{error}");
    assert!(error.to_string().contains("no master of that name"), "{error}");
    let text = impatient("redis+sentinel://127.0.0.1:1,127.0.0.1:2/mymaster").connect().await;
    assert!(text.unwrap_err().to_string().contains("whether it runs"));
    // One that is there is enough.
    let one_away = sentinels.url().replace("redis+sentinel://", "redis+sentinel://127.0.0.1:1,");
    for _ in 0..4 {
        impatient(&one_away).connect().await.unwrap();
    }
}

#[tokio::test]
async fn sentinels_and_their_master_are_reached_by_tls() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let settings = authority.settings(folder.path());
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let sentinels = Sentinels::with_tls(&settings);
    let builder = || RedisBackend::builder(&sentinels.tls_url()).require_replicas(1);
    let trusting = builder().root_certificates(authority.pem()).connect().await.unwrap();
    assert_eq!(count(&crate::strict(trusting), "alice").await.unwrap(), 1);
    let text = all_of(&builder().connect().await.unwrap_err());
    assert!(text.contains("certificate"), "{text}");
}
