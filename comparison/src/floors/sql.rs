//! SQL databases by sqlx, on connections that are held, so that no pool asks whether they are there.

use std::str::FromStr as _;
use std::sync::{Mutex, PoisonError};

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Executor as _};
use tokio::sync::Semaphore;

use super::change::Held;
use super::turned;
use crate::chat::{Chat, Turn};
use crate::contestant::{Outcome, Store};

/// As many as this library has unless told.
const CONNECTIONS: usize = 10;

/// The statements of a floor.
#[derive(Clone, Copy)]
pub(crate) struct Sql {
    pub(crate) tables: &'static str,
    /// Of a key and its first state.
    pub(crate) first: &'static str,
    /// The version and the state under a key.
    pub(crate) load: &'static str,
    /// The next version, the state, the key and the version before.
    pub(crate) save: &'static str,
    /// Of the version, the state and the key: what is saved in the same transaction.
    pub(crate) also: Option<Also>,
}

/// A row for the history beside the state.
#[derive(Clone, Copy)]
pub(crate) struct Also {
    pub(crate) begin: &'static str,
    pub(crate) row: &'static str,
}

/// The statements of a floor that writes a row for each change.
#[derive(Clone, Copy)]
pub(crate) struct ChangeSql {
    pub(crate) tables: &'static str,
    /// The newest version under a key.
    pub(crate) load: &'static str,
    /// A key, a version and what changed: it fails if the version is there.
    pub(crate) save: &'static str,
}

/// Connections that are held.
struct Connections<C> {
    free: Mutex<Vec<C>>,
    permits: Semaphore,
}

impl<C> Connections<C> {
    fn new(connections: Vec<C>) -> Self {
        Self { permits: Semaphore::new(connections.len()), free: Mutex::new(connections) }
    }

    async fn with<T>(&self, act: impl AsyncFnOnce(&mut C) -> sqlx::Result<T>) -> Outcome<T> {
        let _permit = self.permits.acquire().await?;
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut connection = free().pop().ok_or("no connection is free")?;
        let done = act(&mut connection).await;
        free().push(connection);
        Ok(done?)
    }
}

macro_rules! floors {
    ($rows:ident, $changes:ident, $connection:ty, $options:expr, writers: $writers:expr) => {
        /// A row with the state and its version.
        pub(crate) struct $rows {
            connections: Connections<$connection>,
            /// How many may write at once: they wait here rather than there.
            writers: Semaphore,
            sql: Sql,
        }

        impl $rows {
            pub(crate) async fn at(url: &str, sql: Sql) -> Outcome<Self> {
                let connections = connect!($options, url, sql.tables);
                Ok(Self { connections, writers: Semaphore::new($writers), sql })
            }

            async fn save(&self, key: &str, version: i64, json: Vec<u8>) -> Outcome<()> {
                let Sql { save, also, .. } = self.sql;
                let saved = self.connections.with(async |held: &mut $connection| {
                    if let Some(Also { begin, .. }) = also {
                        held.execute(begin).await?;
                    }
                    let update = sqlx::query(save).bind(version + 1).bind(&json).bind(key);
                    let saved = update.bind(version).execute(&mut *held).await?;
                    let saved = saved.rows_affected() == 1;
                    if let Some(Also { row, .. }) = also {
                        let row = sqlx::query(row).bind(version + 1).bind(&json).bind(key);
                        row.execute(&mut *held).await?;
                        held.execute(if saved { "COMMIT" } else { "ROLLBACK" }).await?;
                    }
                    Ok(saved)
                });
                saved.await?.then_some(()).ok_or_else(|| "somebody else saved".into())
            }
        }

        impl Store for $rows {
            async fn first(&self, key: &str, chat: &Chat) -> Outcome<()> {
                let _writer = self.writers.acquire().await?;
                let first = sqlx::query(self.sql.first).bind(key).bind(chat.json());
                let save = async |held: &mut $connection| first.execute(held).await;
                self.connections.with(save).await?;
                Ok(())
            }

            async fn turn(&self, key: &str, turn: Turn) -> Outcome<()> {
                let load = sqlx::query_as(self.sql.load).bind(key);
                let load = async |held: &mut $connection| load.fetch_one(held).await;
                let (version, json): (i64, Vec<u8>) = self.connections.with(load).await?;
                let json = turned(&json, turn)?;
                let _writer = self.writers.acquire().await?;
                self.save(key, version, json).await
            }
        }

        /// A row for each change.
        pub(crate) struct $changes {
            connections: Connections<$connection>,
            writers: Semaphore,
            sql: ChangeSql,
            held: Held,
        }

        impl $changes {
            pub(crate) async fn at(url: &str, sql: ChangeSql) -> Outcome<Self> {
                let connections = connect!($options, url, sql.tables);
                let writers = Semaphore::new($writers);
                Ok(Self { connections, writers, sql, held: Held::default() })
            }

            async fn save(&self, key: &str, version: i64, change: &[u8]) -> Outcome<()> {
                let row = sqlx::query(self.sql.save).bind(key).bind(version).bind(change);
                let save = async |held: &mut $connection| row.execute(held).await;
                let _writer = self.writers.acquire().await?;
                self.connections.with(save).await?;
                Ok(())
            }
        }

        impl Store for $changes {
            async fn first(&self, key: &str, chat: &Chat) -> Outcome<()> {
                let json = chat.json();
                self.save(key, 0, &json).await?;
                self.held.put(key, json);
                Ok(())
            }

            async fn turn(&self, key: &str, turn: Turn) -> Outcome<()> {
                let load = sqlx::query_scalar(self.sql.load).bind(key);
                let load = async |held: &mut $connection| load.fetch_one(held).await;
                let version: i64 = self.connections.with(load).await?;
                let (new, change) = self.held.turned(key, turn)?;
                self.save(key, version + 1, &change).await?;
                self.held.put(key, new);
                Ok(())
            }
        }
    };
}

macro_rules! connect {
    ($options:expr, $url:expr, $tables:expr) => {{
        let options = ($options)($url)?;
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut connection = options.connect().await?;
            if connections.is_empty() {
                connection.execute($tables).await?;
            }
            connections.push(connection);
        }
        Connections::new(connections)
    }};
}

floors!(PostgresRows, PostgresChanges, PgConnection, PgConnectOptions::from_str, writers: CONNECTIONS);
floors!(MariaDbRows, MariaDbChanges, MySqlConnection, MySqlConnectOptions::from_str, writers: CONNECTIONS);
floors!(SqliteRows, SqliteChanges, SqliteConnection, lasting, writers: 1);

/// Write-ahead log, every commit on the disk.
fn lasting(url: &str) -> sqlx::Result<SqliteConnectOptions> {
    let options = SqliteConnectOptions::from_str(url)?.create_if_missing(true);
    Ok(options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full))
}
