//! When the backend is out of reach the agent goes on, if it is configured to: its state goes to a
//! durable local spool, the caller can see that it did, health turns bad, and everything spooled
//! reaches the backend when it is back, in order. Where both sides moved on, both are kept and
//! reported. Configured to fail, it fails at once with a clear error.
//!
//! On every backend that is a server. Under load, kills and power cuts: `tests/outage`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cogency_state::{
    DatabaseBackend, Error, OnOutage, RedisBackend, SpooledKind, StateBackend, StateManager,
    StateManagerBuilder, robust,
};
use cogency_state_tests::database::DatabaseServer;
use cogency_state_tests::redis::RedisServer;

use crate::places::{Place, key};

const SOON: Duration = Duration::from_millis(500);

#[robust(persist = manager)]
async fn say(
    state: &mut Vec<String>,
    manager: &StateManager,
    user_id: &str,
    words: &str,
) -> Result<usize, Error> {
    state.push(words.to_owned());
    Ok(state.len())
}

#[robust(persist = manager, on_outage = fail)]
async fn insist(
    state: &mut Vec<String>,
    manager: &StateManager,
    user_id: &str,
    words: &str,
) -> Result<usize, Error> {
    state.push(words.to_owned());
    Ok(state.len())
}

/// A server of the test's own, which it may kill.
enum Server {
    Redis(RedisServer),
    Database(DatabaseServer),
}

impl Server {
    fn kill(&self) {
        match self {
            Self::Redis(server) => server.kill(),
            Self::Database(server) => server.kill(),
        }
    }

    fn start(&self) {
        match self {
            Self::Redis(server) => server.restart(),
            Self::Database(server) => server.start(),
        }
    }

    /// A manager of its own, as another process has one.
    fn builder(&self, spool: &Path) -> StateManagerBuilder {
        let backend: Arc<dyn StateBackend> = match self {
            Self::Redis(server) => {
                let builder = RedisBackend::builder(&server.url());
                Arc::new(builder.connect_timeout(SOON).retry_for(SOON).build().unwrap())
            }
            Self::Database(server) => {
                let builder = DatabaseBackend::builder(&server.url());
                Arc::new(builder.connect_timeout(SOON).retry_for(SOON).build().unwrap())
            }
        };
        StateManagerBuilder::over(backend).spool_dir(spool)
    }
}

async fn settled(manager: &StateManager) {
    let settling = async {
        while !manager.health().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(60), settling).await;
    assert!(settled.is_ok(), "{:?}", manager.health().await);
}

async fn stored(manager: &StateManager, user: &str) -> Vec<String> {
    manager.load_state(&key(user)).await.unwrap().unwrap().state
}

async fn the_agent_goes_on_and_its_states_arrive_in_order(server: Server) {
    let folder = tempfile::tempdir().unwrap();
    let manager = server.builder(folder.path()).build();
    say(&manager, "alice", "1").await.unwrap();
    assert!(manager.health().await.is_ok());
    server.kill();
    for (nth, words) in (2..).zip(["2", "3", "4"]) {
        assert_eq!(say(&manager, "alice", words).await.unwrap(), nth);
    }
    let health = manager.health().await;
    assert!(!health.is_ok() && health.spooled == 3 && health.oldest.is_some(), "{health:?}");
    assert!(health.away_since.is_some() && health.last_error.is_some(), "{health:?}");
    // Nobody knows this one's state.
    let error = say(&manager, "bob", "1").await.unwrap_err();
    assert!(error.is_outage(), "{error}");
    let error = insist(&manager, "alice", "5").await.unwrap_err();
    assert!(error.is_outage(), "{error}");
    server.start();
    settled(&manager).await;
    let other = server.builder(folder.path()).build();
    assert_eq!(stored(&other, "alice").await, ["1", "2", "3", "4"]);
    assert_eq!(other.load_state::<Vec<String>>(&key("bob")).await.unwrap().map(|_| ()), None);
    assert_eq!(say(&other, "alice", "5").await.unwrap(), 5);
}

async fn where_both_sides_moved_on_both_are_kept_and_reported(server: Server) {
    let (here, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let manager = server.builder(here.path()).build();
    let other = server.builder(elsewhere.path()).build();
    say(&manager, "alice", "1").await.unwrap();
    server.kill();
    say(&manager, "alice", "ours").await.unwrap();
    // Nothing is replayed until the other one has been there.
    drop(manager);
    server.start();
    say(&other, "alice", "theirs").await.unwrap();
    let manager = server.builder(here.path()).build();
    settled(&manager).await;
    assert_eq!(stored(&manager, "alice").await, ["1", "theirs"]);
    let kept = manager.spool().await.unwrap();
    assert!(matches!(kept[0].kind, SpooledKind::Conflict { .. }), "{kept:?}");
    let ours = manager.load_spooled::<Vec<String>>(&kept[0]).await.unwrap().state;
    assert_eq!(ours, ["1", "ours"]);
    assert_eq!(manager.health().await.conflicts, 1);
}

async fn configured_to_fail_it_fails_with_a_clear_error_and_spools_nothing(server: Server) {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let manager = server.builder(&spool).on_outage(OnOutage::Fail).build();
    say(&manager, "alice", "1").await.unwrap();
    server.kill();
    let error = say(&manager, "alice", "2").await.unwrap_err();
    assert!(error.is_outage(), "{error}");
    // Once it is known, at once.
    let error = say(&manager, "alice", "2").await.unwrap_err();
    assert!(error.is_outage() && error.to_string().contains("probed"), "{error}");
    assert!(!spool.exists());
    server.start();
    settled(&manager).await;
    assert_eq!(say(&manager, "alice", "2").await.unwrap(), 2);
}

macro_rules! on_every_server {
    ($($name:ident)*) => {
        mod redis {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() { super::$name(super::Server::Redis(super::RedisServer::start())).await }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(super::Server::Database(super::DatabaseServer::postgres())).await;
                }
            )*
        }

        mod mariadb {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(super::Server::Database(super::DatabaseServer::mariadb())).await;
                }
            )*
        }
    };
}

on_every_server! {
    the_agent_goes_on_and_its_states_arrive_in_order
    where_both_sides_moved_on_both_are_kept_and_reported
    configured_to_fail_it_fails_with_a_clear_error_and_spools_nothing
}

/// There is no server that could be away.
#[tokio::test]
async fn files_and_memory_and_sqlite_need_no_spool() {
    for place in [Place::memory(), Place::file(), Place::sqlite()] {
        let folder = tempfile::tempdir().unwrap();
        let spool = folder.path().join("spool");
        let manager = place.builder().on_outage(OnOutage::Fresh).spool_dir(&spool).build();
        say(&manager, "alice", "1").await.unwrap();
        assert!(manager.health().await.is_ok());
        assert!(manager.spool().await.unwrap().is_empty());
        assert_eq!(manager.replay_spool().await.unwrap(), 0);
        assert!(!spool.exists());
    }
}
