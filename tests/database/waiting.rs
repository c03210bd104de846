//! What a save or a delete finds that waited for somebody.

use std::sync::Arc;
use std::time::Duration;

use cogency_state::{HistoryBackend, Holder, Opened, Retention, StateBackend as _};
use cogency_state_tests::database::{shared_mariadb, shared_postgres};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection, PgConnection};

use crate::places::Database;
use crate::{key, lease, save, write};

/// Until somebody waits for a lock in a statement that has this word.
async fn until_one_waits(database: &Database, word: &str) {
    let waiting = format!(
        "SELECT count(*) FROM pg_stat_activity \
         WHERE wait_event_type = 'Lock' AND query LIKE '%{{p}}{word}%'"
    );
    let waits = async {
        while database.number(&waiting) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waits = tokio::time::timeout(Duration::from_secs(30), waits).await;
    assert!(waits.is_ok(), "nobody waits for a lock with {word}");
}

/// The save has looked at the history, and finds another one when its turn comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_a_save_that_waited_for_a_pruning_of_its_history_is_made_behind_that() {
    let (database, alice) = (Database::postgres(), key("alice"));
    let backend = Arc::new(database.connect().await);
    for number in 0..4 {
        save(&backend, &alice, &number.to_string()).await;
    }
    let opened = backend.acquire_and_load(&alice, &Holder::current()).await.unwrap();
    let Opened::Acquired { lease, record: Some(found) } = opened else { panic!("{opened:?}") };
    let write = write(&alice, Some(found.revision), "4").with_replaced(Some(found.state));

    let mut other = PgConnection::connect(&shared_postgres().url()).await.unwrap();
    let lock = format!("BEGIN; SELECT FROM {}heads FOR UPDATE", database.prefix);
    other.execute(sqlx::raw_sql(AssertSqlSafe(lock))).await.unwrap();
    let pruning = tokio::spawn({
        let (backend, alice) = (Arc::clone(&backend), alice.clone());
        async move { backend.prune_history(&alice, Retention::Versions(2)).await }
    });
    until_one_waits(&database, "heads").await;
    let saving = tokio::spawn({
        let (backend, write) = (Arc::clone(&backend), write.clone());
        async move { backend.save_and_release(&lease, &write).await }
    });
    until_one_waits(&database, "save").await;
    other.execute("COMMIT").await.unwrap();

    assert_eq!(pruning.await.unwrap().unwrap(), 2);
    saving.await.unwrap().unwrap();
    assert_eq!(backend.load_state(&alice).await.unwrap().unwrap(), write.record);
    backend.verify_history(&alice).await.unwrap();
    let events = backend.list_history(&alice, None, 9).await.unwrap();
    let events: Vec<_> = events.iter().map(|entry| entry.event.as_str()).collect();
    assert_eq!(events, ["save", "prune", "save", "save"]);
}

/// The session of MariaDB's that is in a statement with this word, and gets no further.
async fn who_waits(database: &Database, word: &str) -> i64 {
    let waiting = format!(
        "FROM information_schema.PROCESSLIST \
         WHERE STATE = 'Updating' AND TIME_MS > 300 AND INFO LIKE '%{{p}}{word}%'"
    );
    while database.number(&format!("SELECT COUNT(*) {waiting}")) == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    database.number(&format!("SELECT CAST(MIN(ID) AS SIGNED) {waiting}"))
}

/// It had noted with its lease that it was done, and the history went on before it was tried again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb_a_delete_that_was_undone_and_comes_late_is_done_before_it_is_told() {
    let (database, alice) = (Database::mariadb(), key("alice"));
    let backend = database.connect().await;
    for number in 0..4 {
        save(&backend, &alice, &number.to_string()).await;
    }
    let held = lease(&backend, &alice).await;

    let mut other = MySqlConnection::connect(&database.url).await.unwrap();
    let lock = format!("BEGIN; SELECT version FROM {}states FOR UPDATE", database.prefix);
    other.execute(sqlx::raw_sql(AssertSqlSafe(lock))).await.unwrap();
    let deleting = tokio::spawn({
        let backend = backend.clone();
        async move { backend.delete_state(&held).await }
    });
    let session = who_waits(&database, "states").await;
    let pruning = tokio::spawn({
        let (backend, alice) = (backend.clone(), alice.clone());
        async move { backend.prune_history(&alice, Retention::Versions(2)).await }
    });
    who_waits(&database, "heads").await;
    shared_mariadb().run(format!("KILL QUERY {session}"));
    assert_eq!(pruning.await.unwrap().unwrap(), 2);
    other.execute(sqlx::raw_sql("COMMIT")).await.unwrap();

    assert!(deleting.await.unwrap().unwrap());
    assert!(backend.load_state(&alice).await.unwrap().is_none());
    backend.verify_history(&alice).await.unwrap();
}
