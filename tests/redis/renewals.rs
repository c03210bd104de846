//! What the renewal of leases says, and what it leaves behind.

use std::pin::pin;
use std::time::Duration;

use cogency_state::RedisBackend;
use cogency_state_tests::redis::RedisServer;
use cogency_state_tests::seen::Seen;
use tokio::time::{Instant, sleep, timeout};

use crate::key;

const TTL: Duration = Duration::from_millis(400);
/// What is due happens within this, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_lease_that_was_given_back_by_a_save_is_not_reported_as_lost() {
    let (seen, _guard) = Seen::on_this_thread();
    let server = RedisServer::start();
    let backend = RedisBackend::builder(&server.url()).lease_ttl(TTL).build().unwrap();
    let manager = crate::strict(backend);
    // Not the first save, which takes two steps.
    manager.save_state(&key("alice"), 1_u32, None).await.unwrap();
    let call = manager.begin::<u32>(&key("alice")).await.unwrap();
    // A server that stands still gets the save first, and behind it a renewal, which is answered
    // before the call looks how its save went.
    server.pause();
    let mut commit = pin!(call.commit());
    timeout(TTL, commit.as_mut()).await.unwrap_err();
    server.resume();
    sleep(TTL).await;
    commit.await.unwrap();
    assert_eq!(seen.count(tracing::Level::WARN), 0, "{}", seen.text());
}

#[tokio::test]
async fn a_manager_leaves_its_connections_however_long_its_leases_would_have_lasted() {
    let server = RedisServer::start();
    let clients = || server.run::<String>(&["CLIENT", "LIST"]).lines().count();
    let hour = Duration::from_secs(60 * 60);
    let backend = RedisBackend::builder(&server.url()).lease_ttl(hour).build().unwrap();
    let manager = crate::strict(backend);
    manager.save_state(&key("alice"), 1_u32, None).await.unwrap();
    assert!(clients() > 1);
    drop(manager);
    let begun = Instant::now();
    while clients() > 1 {
        assert!(begun.elapsed() < PATIENCE, "its connections stay");
        sleep(Duration::from_millis(50)).await;
    }
}
