//! What one writes by hand.

use std::str::FromStr as _;
use std::sync::Mutex;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Executor as _};
use tokio::sync::Semaphore;

use crate::chat::Chat;

/// As many as the backend has unless told.
const CONNECTIONS: usize = 10;

pub(crate) trait Floor: Send + Sync + Sized + 'static {
    const NAME: &'static str;

    async fn new(url: &str) -> Self;

    async fn prepare(&self, key: &str, chat: &Chat);

    fn call(&self, key: &str) -> impl Future<Output = ()> + Send;
}

/// Connections that are held.
struct Held<C> {
    free: Mutex<Vec<C>>,
    permits: Semaphore,
}

impl<C> Held<C> {
    fn new(connections: Vec<C>) -> Self {
        Self { permits: Semaphore::new(connections.len()), free: Mutex::new(connections) }
    }

    async fn with<T>(&self, act: impl AsyncFnOnce(&mut C) -> T) -> T {
        let _permit = self.permits.acquire().await.expect("not closed");
        let mut connection = self.free.lock().expect("not poisoned").pop().expect("one is free");
        let done = act(&mut connection).await;
        self.free.lock().expect("not poisoned").push(connection);
        done
    }
}

fn turned(json: &[u8]) -> Vec<u8> {
    let mut chat: Chat = serde_json::from_slice(json).expect("saved by us");
    chat.turn();
    serde_json::to_vec(&chat).expect("a chat is JSON")
}

macro_rules! floor {
    (
        $floor:ident, $name:literal, $connection:ty, $options:expr,
        writers: $writers:expr, table: $table:literal, insert: $insert:literal,
        select: $select:literal, update: $update:literal $(,)?
    ) => {
        pub(crate) struct $floor {
            held: Held<$connection>,
            /// How many may write at once: they wait here rather than there.
            writers: Semaphore,
        }

        impl Floor for $floor {
            const NAME: &'static str = $name;

            async fn new(url: &str) -> Self {
                let options = ($options)(url);
                let mut connections = Vec::new();
                for _ in 0..CONNECTIONS {
                    connections.push(options.connect().await.expect("connected"));
                }
                connections[0].execute($table).await.expect("a table");
                Self { held: Held::new(connections), writers: Semaphore::new($writers) }
            }

            async fn prepare(&self, key: &str, chat: &Chat) {
                let json = serde_json::to_vec(chat).expect("a chat is JSON");
                let insert = sqlx::query($insert).bind(key).bind(json);
                let insert = async |held: &mut $connection| insert.execute(held).await;
                self.held.with(insert).await.expect("saved");
            }

            async fn call(&self, key: &str) {
                let select = sqlx::query_as($select).bind(key);
                let load = async |held: &mut $connection| select.fetch_one(held).await;
                let (version, json): (i64, Vec<u8>) = self.held.with(load).await.expect("loaded");
                let update = sqlx::query($update).bind(version + 1).bind(turned(&json));
                let update = update.bind(key).bind(version);
                let _writer = self.writers.acquire().await.expect("not closed");
                let save = async |held: &mut $connection| update.execute(held).await;
                let saved = self.held.with(save).await.expect("saved");
                assert_eq!(saved.rows_affected(), 1, "somebody else saved");
            }
        }
    };
}

floor!(
    Postgres, "postgres", PgConnection,
    |url| PgConnectOptions::from_str(url).expect("a URL"),
    writers: CONNECTIONS,
    table: "CREATE TABLE floor (id text PRIMARY KEY, version bigint NOT NULL, data bytea NOT NULL)",
    insert: "INSERT INTO floor VALUES ($1, 0, $2)",
    select: "SELECT version, data FROM floor WHERE id = $1",
    update: "UPDATE floor SET version = $1, data = $2 WHERE id = $3 AND version = $4",
);

floor!(
    MariaDb, "mariadb", MySqlConnection,
    |url| MySqlConnectOptions::from_str(url).expect("a URL"),
    writers: CONNECTIONS,
    table: "CREATE TABLE floor (id VARCHAR(255) PRIMARY KEY, version BIGINT NOT NULL, data LONGBLOB NOT NULL)",
    insert: "INSERT INTO floor VALUES (?, 0, ?)",
    select: "SELECT version, data FROM floor WHERE id = ?",
    update: "UPDATE floor SET version = ?, data = ? WHERE id = ? AND version = ?",
);

floor!(
    Sqlite, "sqlite", SqliteConnection,
    |url| {
        let options = SqliteConnectOptions::from_str(url).expect("a URL").create_if_missing(true);
        options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full)
    },
    writers: 1,
    table: "CREATE TABLE floor (id TEXT PRIMARY KEY, version INTEGER NOT NULL, data BLOB NOT NULL)",
    insert: "INSERT INTO floor VALUES ($1, 0, $2)",
    select: "SELECT version, data FROM floor WHERE id = $1",
    update: "UPDATE floor SET version = $1, data = $2 WHERE id = $3 AND version = $4",
);
