//! The tables are made once, by whoever connects first, or by hand.

use std::thread;
use std::time::{Duration, Instant};

use cogency_state::{DatabaseBackend, StateBackend as _};
use cogency_state_tests::agent::What;
use cogency_state_tests::database::{SqliteFile, shared_mariadb};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _};

use crate::agents::start;
use crate::places::Database;
use crate::upgrades::{earlier, of_version};
use crate::{all_of, key, save};

/// How many there are.
pub(crate) fn migrations(database: &Database) -> i64 {
    i64::try_from(earlier(database).len()).unwrap() + 1
}

#[test]
fn ten_processes_that_connect_to_an_empty_database_at_once_make_its_tables_once() {
    for database in Database::each() {
        let url = database.full_url();
        let agents: Vec<_> =
            (0..10).map(|agent| start("turn", &url, &[&format!("user-{agent}")])).collect();
        for agent in agents {
            agent.succeed();
        }
        let states = database.number("SELECT COUNT(*) FROM {p}states");
        assert_eq!(states, 10, "{}", database.name);
        assert_eq!(
            database.number("SELECT COUNT(*) FROM {p}migrations"),
            migrations(&database),
            "{}",
            database.name
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_do_ten_backends_of_one_process() {
    for database in Database::each() {
        let backends: Vec<_> = (0..10)
            .map(|_| {
                let builder = database.builder();
                tokio::spawn(async move { builder.connect().await.unwrap() })
            })
            .collect();
        for backend in backends {
            backend.await.unwrap().load_state(&key("alice")).await.unwrap();
        }
        assert_eq!(
            database.number("SELECT COUNT(*) FROM {p}migrations"),
            migrations(&database),
            "{}",
            database.name
        );
    }
}

#[tokio::test]
async fn whoever_may_change_no_tables_is_told_what_is_missing_until_it_was_done_by_hand() {
    for database in Database::each() {
        let error = database.builder().never_migrate().connect().await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains("version 0"), "{said}");
        let missing = "1 (states and leases), 2 (history), 3 (states that were set aside), \
                       4 (indexes for queries)";
        assert!(said.contains(missing), "{said}");
        database.run_by_client(&database.builder().migrations().unwrap());
        let backend = database.builder().never_migrate().connect().await.unwrap();
        save(&backend, &key("alice"), "1").await;
        // Whoever may changes nothing now.
        database.connect().await.load_state(&key("alice")).await.unwrap().unwrap();
        assert_eq!(
            database.number("SELECT COUNT(*) FROM {p}migrations"),
            migrations(&database),
            "{}",
            database.name
        );
    }
}

#[tokio::test]
async fn a_database_of_the_future_is_refused_and_left() {
    for database in Database::each() {
        drop(database.connect().await);
        let next = migrations(&database) + 1;
        database.run(&format!("INSERT INTO {{p}}migrations (version) VALUES ({next})"));
        let error = database.builder().connect().await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains(&format!("version {next}")), "{said}");
        assert!(said.contains("upgrade cogency-state"), "{said}");
        assert_eq!(
            database.number("SELECT COUNT(*) FROM {p}migrations"),
            next,
            "{}",
            database.name
        );
    }
}

/// Each change of a table commits by itself there.
#[tokio::test]
async fn on_mariadb_a_migration_that_ended_half_way_is_done_again() {
    let database = Database::mariadb();
    drop(database.connect().await);
    database.run("DELETE FROM {p}migrations; DROP TABLE {p}leases; DROP PROCEDURE {p}save");
    let backend = database.connect().await;
    save(&backend, &key("alice"), "1").await;
}

/// Wherever a process dies while it makes the tables, or those of an earlier version what they have
/// to be, the next one does the rest.
#[test]
fn a_process_that_is_killed_while_it_makes_the_tables_is_made_up_for_by_the_next() {
    for make in [Database::sqlite, Database::postgres, Database::mariadb] {
        let started = Instant::now();
        start("turn", &make().full_url(), &["alice"]).succeed();
        let undisturbed = started.elapsed();
        let mut half_way = 0;
        for round in 0..25 {
            let database = make();
            // Every other one was there before.
            let is_earlier = round % 2 == 1;
            if is_earlier {
                of_version(1 + round % 3, &database, &["carol"]);
            }
            let url = format!("{}&lease_ttl=300ms", database.full_url());
            let killed = start("turn", &url, &["alice"]);
            thread::sleep(undisturbed.mul_f64(fastrand::f64()));
            half_way += usize::from(!killed.kill().iter().any(|said| said.what == What::Saved));
            start("turn", &url, &["bob"]).succeed();
            start("turn", &url, &["alice"]).succeed();
            let gaps = "SELECT CAST(COUNT(*) - MAX(version) AS BIGINT) FROM {p}migrations";
            let gaps =
                if database.name == "mariadb" { &gaps.replace("BIGINT", "SIGNED") } else { gaps };
            assert_eq!(database.number(gaps), 0, "{}", database.name);
            let carol = "SELECT COUNT(*) FROM {p}states WHERE user_id = 'carol' AND version = 7";
            assert_eq!(database.number(carol), i64::from(is_earlier), "{}", database.name);
        }
        assert!(half_way > 0, "every process was done before it was killed");
    }
}

/// A transaction that read first could not wait for another that writes: it would fail at once. And
/// the other may take longer than a connection waits for a lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_a_migration_waits_for_somebody_who_writes() {
    let file = SqliteFile::default();
    drop(DatabaseBackend::connect(&file.url()).await.unwrap());
    file.run(
        "DROP TABLE cogency_states; DROP TABLE cogency_leases; DROP TABLE cogency_history; \
         DROP TABLE cogency_heads; DROP TABLE cogency_aside; DROP TABLE cogency_blobs; \
         DROP TABLE cogency_indexes; \
         DELETE FROM cogency_migrations",
    );
    let mut writer = SqliteConnectOptions::new().filename(file.path()).connect().await.unwrap();
    writer.execute("BEGIN IMMEDIATE").await.unwrap();
    let url = file.url();
    let connecting = tokio::spawn(async move {
        let builder = DatabaseBackend::builder(&url).connect_timeout(Duration::from_millis(500));
        builder.connect().await
    });
    tokio::time::sleep(Duration::from_secs(4)).await;
    writer.execute("COMMIT").await.unwrap();
    let backend = connecting.await.unwrap().unwrap();
    save(&backend, &key("alice"), "1").await;
}

#[tokio::test]
async fn a_user_of_the_tables_needs_no_right_to_change_them() {
    let database = Database::mariadb();
    drop(database.connect().await);
    let url = shared_mariadb().url_of("guarded:open%20sesame");
    let backend = DatabaseBackend::builder(&url).prefix(&database.prefix).never_migrate();
    save(&backend.connect().await.unwrap(), &key("alice"), "1").await;
    let fresh = DatabaseBackend::builder(&url).prefix("fresh_").connect().await.unwrap_err();
    let said = all_of(&fresh);
    assert!(said.contains("grant the user the rights") && !said.contains("sesame"), "{said}");
}
