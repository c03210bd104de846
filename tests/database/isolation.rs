//! Servers whose transactions are isolated in another way than this library needs, unless told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cogency_state::{DatabaseBackend, StateBackend as _};
use cogency_state_tests::database::{DatabaseServer, shared_postgres};

use crate::agents::start;
use crate::leases::take_and_save;
use crate::places::Database;
use crate::{key, save};

const LEVELS: [&str; 2] = ["serializable", "repeatable%5C%20read"];

/// Four processes count on two keys; a call of theirs that fails ends them.
async fn count(url: &str) {
    const CALLS: u64 = 40;
    let users = ["shared", "other"];
    let calls = CALLS.to_string();
    let arguments = [&[calls.as_str()], &users[..]].concat();
    let agents: Vec<_> = (0..4).map(|_| start("count", url, &arguments)).collect();
    let ended = tokio::task::spawn_blocking(|| {
        for agent in agents {
            agent.succeed();
        }
    });
    ended.await.unwrap();
    let backend = DatabaseBackend::connect(url).await.unwrap();
    for user in users {
        let record = backend.load_state(&key(user)).await.unwrap().unwrap();
        assert_eq!(record.revision.version, 4 * CALLS, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_postgres_that_isolates_more_no_update_is_lost_and_no_call_fails() {
    for level in LEVELS {
        let database = Database::postgres();
        let isolated = format!("options=-c%20default_transaction_isolation%3D{level}");
        count(&format!("{}&{isolated}", database.full_url())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_mariadb_that_isolates_more_or_less_no_update_is_lost_and_no_call_fails() {
    let server = DatabaseServer::mariadb();
    for level in ["SERIALIZABLE", "READ-UNCOMMITTED"] {
        server.restart_with(&[&format!("--transaction-isolation={level}")]);
        count(&format!("{}?prefix={}", server.url(), level.to_lowercase().replace('-', "_"))).await;
    }
}

/// A pool of an application's own, whose transactions are to be strict.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_pool_that_isolates_more_whoever_gets_a_lease_finds_what_the_one_before_saved() {
    for level in LEVELS {
        let database = Database::postgres();
        let level = level.replace("%5C%20", " ");
        let pool = sqlx::postgres::PgPoolOptions::new().max_connections(8);
        let options: sqlx::postgres::PgConnectOptions = shared_postgres().url().parse().unwrap();
        let options = options.options([("default_transaction_isolation", level)]);
        let pool = pool.connect_with(options).await.unwrap();
        let builder = DatabaseBackend::builder_over(pool).prefix(&database.prefix);
        let backend = builder.connect().await.unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let takers: Vec<_> = (0..6)
            .map(|_| tokio::spawn(take_and_save(backend.clone(), Arc::clone(&is_over))))
            .collect();
        tokio::time::sleep(Duration::from_secs(2)).await;
        is_over.store(true, Ordering::SeqCst);
        let mut saves = 0;
        for taker in takers {
            saves += taker.await.unwrap();
        }
        let record = backend.load_state(&key("alice")).await.unwrap().unwrap();
        assert_eq!(record.revision.version, saves);
    }
}

/// Where gaps are locked, first saves of keys that are neighbours wait for each other in a circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb_first_saves_do_not_deadlock() {
    let server = DatabaseServer::mariadb();
    server.restart_with(&["--innodb-flush-log-at-trx-commit=0"]);
    let builder = DatabaseBackend::builder(&server.url()).pool_size(32);
    let backend = Arc::new(builder.connect().await.unwrap());
    let calls: Vec<_> = (0..600)
        .map(|number| {
            let backend = Arc::clone(&backend);
            tokio::spawn(async move { save(&backend, &key(&format!("{number}")), "1").await })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let deadlocks = server.number(
        "SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM information_schema.GLOBAL_STATUS \
         WHERE VARIABLE_NAME = 'INNODB_DEADLOCKS'",
    );
    assert_eq!(deadlocks, 0);
}
