//! A SQLite file of a test's own.

use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use tempfile::TempDir;

use super::server::on_a_thread;

/// A file in a folder of its own. Dropped, it is removed.
#[derive(Debug)]
pub struct SqliteFile {
    folder: TempDir,
}

impl Default for SqliteFile {
    fn default() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }
}

impl SqliteFile {
    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("sqlite:{}", self.path().display())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("agents.db")
    }

    /// The folder that it is in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs SQL, as an operator would.
    pub fn run(&self, sql: impl Into<String>) {
        let (path, sql) = (self.path(), sqlx::raw_sql(AssertSqlSafe(sql.into())));
        on_a_thread(async move {
            let mut connection =
                SqliteConnectOptions::new().filename(path).connect().await.unwrap();
            connection.execute(sql).await.unwrap();
        });
    }

    /// The only number that SQL gives.
    #[must_use]
    pub fn number(&self, sql: impl Into<String>) -> i64 {
        let (path, sql) = (self.path(), AssertSqlSafe(sql.into()));
        on_a_thread(async move {
            let mut connection =
                SqliteConnectOptions::new().filename(path).connect().await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
        })
    }
}
