//! Databases that do not let this program do what it wants say why.

use std::fs;
use std::time::Duration;

use cogency_state::{DatabaseBackend, Error, StateBackend as _, StateManager};
use cogency_state_tests::database::{PgBouncer, SqliteFile, shared_mariadb, shared_postgres};
use sqlx::Executor as _;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::agents::start;
use crate::places::Database;
use crate::{all_of, key, lease, save, write};

async fn refused(url: &str) -> String {
    let builder = DatabaseBackend::builder(url).connect_timeout(Duration::from_millis(500));
    let builder = builder.retry_for(Duration::from_millis(500));
    let said = all_of(&builder.connect().await.unwrap_err());
    assert!(!said.contains("hunter2"), "{said}");
    said
}

#[tokio::test]
async fn a_wrong_password_is_said_to_be_wrong_without_saying_it() {
    shared_postgres().run(
        "DO $$ BEGIN CREATE ROLE guarded LOGIN PASSWORD 'open sesame'; \
         EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    );
    for server in [shared_postgres(), shared_mariadb()] {
        let said = refused(&server.url_of("guarded:hunter2")).await;
        assert!(said.contains("look at the URL's user and password"), "{said}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named_as_missing() {
    for server in [shared_postgres(), shared_mariadb()] {
        let (before, _) =
            server.url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let said = refused(&format!("{before}/nowhere")).await;
        assert!(said.contains("create that database"), "{said}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_cannot_be_reached() {
    for url in ["postgres://alice:hunter2@127.0.0.1:1/a", "mysql://alice:hunter2@127.0.0.1:1/a"] {
        let said = refused(url).await;
        assert!(said.contains("cannot be reached"), "{said}");
    }
}

#[tokio::test]
async fn urls_that_are_wrong_are_refused_without_repeating_them() {
    for url in [
        "sqlite:",
        "sqlite::memory:",
        "sqlite://",
        "sqlite:a?hunter2=1",
        "postgres:hunter2",
        "postgres://alice:hunter2@host:port/a",
        "postgres://alice:hunter2@host/a?sslmode=hunter2",
        "mysql://alice:hunter2@host",
        "mysql://alice:hunter2@host/a?prefix=hunter2%27;DROP",
        "mysql://alice:hunter2@host/a?pool_size=0",
        "mysql://alice:hunter2@host/a?lease_ttl=hunter2",
        "mysql://alice:hunter2@host/a?lease_ttl=2h",
        "mysql://alice:hunter2@host/a?migrate=hunter2",
        "mysql://alice:hunter2@host/a?statement_cache=hunter2",
        "http://alice:hunter2@host/a",
    ] {
        let error = DatabaseBackend::new(url).unwrap_err();
        assert!(matches!(error, Error::Config { .. }), "{url}: {error}");
        assert!(!all_of(&error).contains("hunter2"), "{error}");
    }
    let builder = DatabaseBackend::builder("mysql://alice:hunter2@host/a");
    assert!(!format!("{builder:?}").contains("hunter2"));
    let backend = builder.build().unwrap();
    assert!(!format!("{backend:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_location_names_the_database_and_nobody() {
    for (url, location) in [
        ("postgres://alice:hunter2@HOST/agents", "postgres://host:5432/agents/cogency_"),
        ("postgresql://host:1/agents?prefix=a_", "postgres://host:1/agents/a_"),
        ("mariadb://alice:hunter2@host/agents", "mysql://host:3306/agents/cogency_"),
        ("mysql://host:1/agents?prefix=other.a_&lease_ttl=1s", "mysql://host:1/agents/other.a_"),
        ("sqlite:/nowhere/agents.db", "sqlite:/nowhere/agents.db/cogency_"),
        ("sqlite:///nowhere/agents.db", "sqlite:/nowhere/agents.db/cogency_"),
    ] {
        assert_eq!(DatabaseBackend::new(url).unwrap().location(), location);
    }
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_refused_and_left() {
    let file = SqliteFile::default();
    fs::write(file.path(), "a diary, of more than a hundred bytes: ".repeat(100)).unwrap();
    let said = refused(&file.url()).await;
    assert!(said.contains("not one of SQLite's"), "{said}");
    assert!(fs::read_to_string(file.path()).unwrap().starts_with("a diary"));
}

#[tokio::test]
async fn a_damaged_file_is_said_to_be() {
    let database = Database::sqlite();
    let path = database.url.strip_prefix("sqlite:").unwrap().to_owned();
    let backend = database.connect().await;
    for user in 0..50 {
        save(&backend, &key(&format!("user-{user}")), &format!("\"{}\"", "x".repeat(2000))).await;
    }
    drop(backend);
    database.run("PRAGMA wal_checkpoint(TRUNCATE)");
    // All but the first page.
    let length = fs::metadata(&path).unwrap().len();
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0xA5);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), length);
    let said = refused(&database.full_url()).await;
    assert!(said.contains("damaged"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_somebody_keeps_locked_is_said_to_be_and_waited_for() {
    let file = SqliteFile::default();
    let builder = || DatabaseBackend::builder(&file.url()).retry_for(Duration::from_millis(100));
    let backend = builder().connect().await.unwrap();
    save(&backend, &key("alice"), "1").await;
    let options = SqliteConnectOptions::new().filename(file.path());
    let other = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let mut writer = other.acquire().await.unwrap();
    writer.execute("BEGIN IMMEDIATE").await.unwrap();
    let error = backend.acquire_lease(&key("alice"), &cogency_state::Holder::current()).await;
    let said = all_of(&error.unwrap_err());
    assert!(said.contains("locked"), "{said}");
    // Reading needs no lock.
    backend.load_state(&key("alice")).await.unwrap().unwrap();
    writer.execute("ROLLBACK").await.unwrap();
    save(&backend, &key("alice"), "2").await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_said_to_be() {
    let file = SqliteFile::default();
    fs::write(file.path(), "").unwrap();
    let said = refused(&format!("{}/below.db", file.url())).await;
    assert!(said.contains("its file cannot be made"), "{said}");
}

#[tokio::test]
async fn a_database_that_is_read_only_is_said_to_be() {
    let database = Database::postgres();
    let backend = database.connect().await;
    let held = lease(&backend, &key("alice")).await;
    drop(backend);
    let url = format!("{}?options=-c%20default_transaction_read_only%3Don", database.url);
    let builder = DatabaseBackend::builder(&url).prefix(&database.prefix);
    let reader = builder.connect().await.unwrap();
    let error = reader.save_state(&held, &write(&key("alice"), None, "1")).await.unwrap_err();
    let said = all_of(&error);
    assert!(said.contains("read-only"), "{said}");
    assert!(matches!(error, Error::Backend { .. }), "{said}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let file = SqliteFile::default();
    let url = format!("sqlite:{}/deep/below/agents.db", file.folder().display());
    let backend = DatabaseBackend::connect(&url).await.unwrap();
    save(&backend, &key("alice"), "1").await;
    let mode =
        |path: &str| fs::metadata(file.folder().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("deep"), 0o700);
    assert_eq!(mode("deep/below"), 0o700);
    for name in ["agents.db", "agents.db-wal", "agents.db-shm"] {
        assert_eq!(mode(&format!("deep/below/{name}")), 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_pool_of_the_users_own_is_used() {
    let database = Database::postgres();
    let postgres = sqlx::PgPool::connect(&database.url).await.unwrap();
    let over = |pool: cogency_state::DatabasePool| {
        DatabaseBackend::builder_over(pool).prefix(&database.prefix)
    };
    let mariadb = sqlx::MySqlPool::connect(&shared_mariadb().url()).await.unwrap();
    let file = SqliteFile::default();
    let options = SqliteConnectOptions::new().filename(file.path()).create_if_missing(true);
    let sqlite = sqlx::SqlitePool::connect_with(options).await.unwrap();
    for backend in [over(postgres.into()), over(mariadb.into()), over(sqlite.into())] {
        let backend = backend.connect().await.unwrap();
        save(&backend, &key("alice"), "1").await;
        save(&backend, &key("alice"), "2").await;
    }
}

#[tokio::test]
async fn without_prepared_statements_everything_works() {
    for database in Database::each() {
        let backend = database.builder().without_statement_cache().connect().await.unwrap();
        save(&backend, &key("alice"), "1").await;
        save(&backend, &key("alice"), "2").await;
        assert_eq!(backend.list_states("alice").await.unwrap(), [key("alice")]);
    }
}

#[tokio::test]
async fn a_url_makes_a_manager() {
    for database in Database::each() {
        let manager = StateManager::connect(&database.full_url()).await.unwrap();
        let mut call = manager.begin::<u32>(&key("alice")).await.unwrap();
        call.state = 7;
        call.commit().await.unwrap();
        let other = StateManager::shared(&database.full_url()).unwrap();
        assert_eq!(other.load_state::<u32>(&key("alice")).await.unwrap().unwrap().state, 7);
    }
}

/// Whatever is prepared on one connection is not there on the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_pooler_that_keeps_no_sessions_everything_works_without_prepared_statements() {
    let pooler = PgBouncer::before(shared_postgres());
    let database = Database::postgres();
    let url = format!("{}?prefix={}&statement_cache=off", pooler.url(), database.prefix);
    let agents: Vec<_> = (0..4).map(|_| start("count", &url, &["20", "alice", "bob"])).collect();
    tokio::task::spawn_blocking(|| agents.into_iter().for_each(|agent| drop(agent.succeed())))
        .await
        .unwrap();
    let record = database.connect().await.load_state(&key("alice")).await.unwrap().unwrap();
    assert_eq!(record.revision.version, 80);
    let migrations = database.number("SELECT COUNT(*) FROM {p}migrations");
    assert_eq!(migrations, crate::migrations::migrations(&database));
}
