//! Pools: an application's own, several runtimes', and those whose server restarted.

use std::sync::Arc;

use cogency_state::{DatabaseBackend, DatabasePool, StateManager};
use cogency_state_tests::database::{DatabaseServer, shared_mariadb, shared_postgres};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Executor, Pool};

use crate::key;
use crate::places::Database;

async fn call(manager: &StateManager, user: &str) -> u32 {
    let mut call = manager.begin::<u32>(&key(user)).await.unwrap();
    call.state += 1;
    let state = call.state;
    call.commit().await.unwrap();
    state
}

/// An application with a table of its own, in the middle of a transaction of its own while a call
/// is made on the same pool of two connections.
async fn applies<DB>(pool: Pool<DB>, database: &Database)
where
    DB: sqlx::Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    Pool<DB>: Into<DatabasePool>,
{
    database.run("CREATE TABLE {p}orders (number BIGINT)");
    let builder = DatabaseBackend::builder_over(pool.clone()).prefix(&database.prefix);
    let manager = StateManager::new(builder.connect().await.unwrap());
    // SQLite has one writer at a time: there the application writes after the call.
    let is_alone = database.name == "sqlite";
    let insert = |number: u8| {
        AssertSqlSafe(format!("INSERT INTO {}orders VALUES ({number})", database.prefix))
    };
    let mut kept = pool.begin().await.unwrap();
    if !is_alone {
        kept.execute(insert(1)).await.unwrap();
    }
    assert_eq!(call(&manager, "alice").await, 1);
    if is_alone {
        kept.execute(insert(1)).await.unwrap();
    }
    kept.commit().await.unwrap();
    let mut undone = pool.begin().await.unwrap();
    undone.execute(insert(2)).await.unwrap();
    undone.rollback().await.unwrap();
    // Nobody's transaction was ended or gone on with by the other.
    assert_eq!(database.number("SELECT COUNT(*) FROM {p}orders WHERE number = 1"), 1);
    assert_eq!(database.number("SELECT COUNT(*) FROM {p}orders"), 1);
    for due in 2..30 {
        assert_eq!(call(&manager, "alice").await, due, "{}", database.name);
        let mut other = pool.begin().await.unwrap();
        other.execute(insert(3)).await.unwrap();
        other.rollback().await.unwrap();
    }
    assert_eq!(database.number("SELECT COUNT(*) FROM {p}orders"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_with_its_own_tables_and_transactions_shares_its_pool() {
    let postgres = sqlx::postgres::PgPoolOptions::new().max_connections(2);
    let postgres = postgres.connect(&shared_postgres().url()).await.unwrap();
    applies(postgres, &Database::postgres()).await;
    let mariadb = sqlx::mysql::MySqlPoolOptions::new().max_connections(2);
    let mariadb = mariadb.connect(&shared_mariadb().url()).await.unwrap();
    applies(mariadb, &Database::mariadb()).await;
    let database = Database::sqlite();
    let path = database.url.strip_prefix("sqlite:").unwrap().to_owned();
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let options = options.journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
    let sqlite = SqlitePoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
    applies(sqlite, &database).await;
}

/// A connection belongs to the runtime that made it.
#[test]
fn several_runtimes_share_a_manager_and_one_that_ends_takes_nothing_along() {
    const CALLS: u32 = 20;
    for database in Database::each() {
        let manager = StateManager::new(database.builder().build().unwrap());
        let run = |runtime: tokio::runtime::Runtime| {
            let manager = manager.clone();
            std::thread::spawn(move || {
                runtime.block_on(async {
                    for _ in 0..CALLS {
                        call(&manager, "alice").await;
                    }
                });
            })
        };
        let single = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let first = run(tokio::runtime::Runtime::new().unwrap());
        let second = run(single);
        first.join().unwrap();
        second.join().unwrap();
        let third = tokio::runtime::Runtime::new().unwrap();
        let state = third.block_on(call(&manager, "alice"));
        assert_eq!(state, 2 * CALLS + 1, "{}", database.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarted_is_nothing_that_a_caller_notices() {
    const CALLERS: u32 = 8;
    for server in [DatabaseServer::postgres(), DatabaseServer::mariadb()] {
        let manager = StateManager::connect(&server.url()).await.unwrap();
        for round in 1..4 {
            // All of the pool's connections are there, and idle, when the server goes.
            let together = Arc::new(tokio::sync::Barrier::new(CALLERS as usize));
            let calls: Vec<_> = (0..CALLERS)
                .map(|number| {
                    let (manager, together) = (manager.clone(), Arc::clone(&together));
                    tokio::spawn(async move {
                        together.wait().await;
                        call(&manager, &format!("user-{number}")).await
                    })
                })
                .collect();
            for call in calls {
                assert_eq!(call.await.unwrap(), round);
            }
            server.kill();
            server.start();
        }
    }
}

/// A look at each connection that comes back would be as many round trips again. sqlx's own pools do
/// that, where a program lends one.
#[tokio::test]
async fn a_call_uses_a_connection_that_is_there_and_nobody_looks_at_it() {
    const CALLS: i64 = 100;
    let server = DatabaseServer::mariadb();
    let ours = StateManager::connect(&server.url()).await.unwrap();
    let theirs = sqlx::MySqlPool::connect(&server.url()).await.unwrap();
    let theirs = StateManager::new(DatabaseBackend::from_pool(theirs).unwrap());
    let counted = |what: &str| {
        server.number(format!(
            "SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM information_schema.GLOBAL_STATUS \
             WHERE VARIABLE_NAME = '{what}'"
        ))
    };
    let mut found = Vec::new();
    for manager in [&ours, &theirs] {
        call(manager, "alice").await;
        let count = || (counted("COM_ADMIN_COMMANDS"), counted("CONNECTIONS"));
        let before = count();
        for _ in 0..CALLS {
            call(manager, "alice").await;
        }
        let after = count();
        found.push((after.0 - before.0, after.1 - before.1));
    }
    let [(looks, connections), (looks_of_sqlx, _)] = found[..] else { panic!("{found:?}") };
    assert!(looks < 20 && connections < 20, "{looks} looks, {connections} connections");
    assert!(looks_of_sqlx > 2 * CALLS, "only {looks_of_sqlx} looks: is a pool of ours needed?");
}
