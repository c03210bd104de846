//! The tables are made once, by whoever connects first, or by hand.

use cogency_state::{DatabaseBackend, StateBackend as _};
use cogency_state_tests::database::shared_mariadb;

use crate::agents::start;
use crate::places::Database;
use crate::{all_of, key, save};

/// How many there are.
pub(crate) const MIGRATIONS: i64 = 2;

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
            MIGRATIONS,
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
            MIGRATIONS,
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
        assert!(said.contains("version 0") && said.contains("1 (states and leases)"), "{said}");
        let sql = database.builder().migrations().unwrap();
        database.run(&sql);
        let backend = database.builder().never_migrate().connect().await.unwrap();
        save(&backend, &key("alice"), "1").await;
        // Whoever may changes nothing now.
        database.connect().await.load_state(&key("alice")).await.unwrap().unwrap();
        assert_eq!(
            database.number("SELECT COUNT(*) FROM {p}migrations"),
            MIGRATIONS,
            "{}",
            database.name
        );
    }
}

#[tokio::test]
async fn a_database_of_the_future_is_refused_and_left() {
    for database in Database::each() {
        drop(database.connect().await);
        database.run("INSERT INTO {p}migrations (version) VALUES (7)");
        let error = database.builder().connect().await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains("version 7") && said.contains("upgrade cogency-state"), "{said}");
        assert_eq!(
            database.number("SELECT COUNT(*) FROM {p}migrations"),
            1 + MIGRATIONS,
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
