//! The databases that tests run on.

use std::time::Duration;

use cogency_state::{DatabaseBackend, DatabaseBackendBuilder};
use cogency_state_tests::database::{SqliteFile, shared_mariadb, shared_postgres, whole_up_to};
use cogency_state_tests::redis::fresh_prefix;

/// A database with tables of a test's own.
pub(crate) struct Database {
    pub(crate) name: &'static str,
    pub(crate) url: String,
    pub(crate) prefix: String,
    file: Option<SqliteFile>,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let file = SqliteFile::default();
        Self { name: "sqlite", url: file.url(), prefix: fresh(), file: Some(file) }
    }

    pub(crate) fn postgres() -> Self {
        let url = shared_postgres().url();
        Self { name: "postgres", url, prefix: fresh(), file: None }
    }

    pub(crate) fn mariadb() -> Self {
        let url = shared_mariadb().url();
        Self { name: "mariadb", url, prefix: fresh(), file: None }
    }

    /// One of each kind.
    pub(crate) fn each() -> [Self; 3] {
        [Self::sqlite(), Self::postgres(), Self::mariadb()]
    }

    /// Another one of its kind; of a server the same one, with other tables.
    pub(crate) fn afresh(&self) -> Self {
        match self.name {
            "sqlite" => Self::sqlite(),
            "postgres" => Self::postgres(),
            _ => Self::mariadb(),
        }
    }

    /// More patient than a program is: the machines of tests are busy.
    pub(crate) fn builder(&self) -> DatabaseBackendBuilder {
        let builder = DatabaseBackend::builder(&self.url).prefix(&self.prefix);
        let builder = builder.connect_timeout(Duration::from_secs(20));
        match whole_up_to() {
            Some(bytes) => builder.whole_up_to(bytes),
            None => builder,
        }
    }

    pub(crate) async fn connect(&self) -> DatabaseBackend {
        self.builder().connect().await.unwrap()
    }

    /// A URL that says all of it.
    pub(crate) fn full_url(&self) -> String {
        let whole = whole_up_to().map_or(String::new(), |bytes| format!("&whole={bytes}"));
        format!("{}?prefix={}{whole}", self.url, self.prefix)
    }

    /// Runs SQL, in which `{p}` is what names of tables begin with.
    pub(crate) fn run(&self, sql: &str) {
        let sql = sql.replace("{p}", &self.prefix);
        match (&self.file, self.name) {
            (Some(file), _) => file.run(sql),
            (None, "postgres") => shared_postgres().run(sql),
            (None, _) => shared_mariadb().run(sql),
        }
    }

    /// Runs SQL with the database's own client, as an operator would; of SQLite that is a library.
    pub(crate) fn run_by_client(&self, sql: &str) {
        match (&self.file, self.name) {
            (Some(file), _) => file.run(sql),
            (None, "postgres") => shared_postgres().run_by_client(sql),
            (None, _) => shared_mariadb().run_by_client(sql),
        }
    }

    /// The only number that it gives.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        let sql = sql.replace("{p}", &self.prefix);
        match (&self.file, self.name) {
            (Some(file), _) => file.number(sql),
            (None, "postgres") => shared_postgres().number(sql),
            (None, _) => shared_mariadb().number(sql),
        }
    }
}

fn fresh() -> String {
    fresh_prefix().replace('-', "_") + "_"
}
