//! Which database it is, and where.

use std::fmt;

#[cfg(any(feature = "postgres", feature = "mysql"))]
use std::path::Path;

#[cfg(feature = "mysql")]
use sqlx::MySql;
#[cfg(feature = "postgres")]
use sqlx::Postgres;
#[cfg(feature = "sqlite")]
use sqlx::Sqlite;

use super::pools::Source;

/// Where the records are.
pub(super) enum Place {
    #[cfg(feature = "sqlite")]
    Sqlite(Source<Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(Source<Postgres>),
    #[cfg(feature = "mysql")]
    MySql(Source<MySql>),
}

impl Place {
    /// Without the user, the password and the prefix.
    pub(super) fn location(&self) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(source) => super::sqlite::location(source.options().get_filename()),
            #[cfg(feature = "postgres")]
            Self::Postgres(source) => {
                let options = source.options();
                let database = options.get_database().unwrap_or(options.get_username());
                let socket = options.get_socket().map(|path| &**path);
                at_server("postgres", options.get_host(), options.get_port(), socket, database)
            }
            #[cfg(feature = "mysql")]
            Self::MySql(source) => {
                let options = source.options();
                let database = options.get_database().unwrap_or_default();
                let socket = options.get_socket().map(|path| &**path);
                at_server("mysql", options.get_host(), options.get_port(), socket, database)
            }
        }
    }
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
fn at_server(scheme: &str, host: &str, port: u16, socket: Option<&Path>, database: &str) -> String {
    match socket {
        Some(socket) => format!("{scheme}://{}:{port}/{database}", socket.display()),
        None => format!("{scheme}://{}:{port}/{database}", host.to_lowercase()),
    }
}

/// A pool of sqlx's: a `SqlitePool`, `PgPool` or `MySqlPool`, by `into()`.
///
/// It is used on whichever runtime a call runs on, and belongs to the one that made it.
pub struct DatabasePool(pub(super) Place);

#[cfg(feature = "sqlite")]
impl From<sqlx::SqlitePool> for DatabasePool {
    fn from(pool: sqlx::SqlitePool) -> Self {
        Self(Place::Sqlite(Source::Pool(pool)))
    }
}

#[cfg(feature = "postgres")]
impl From<sqlx::PgPool> for DatabasePool {
    fn from(pool: sqlx::PgPool) -> Self {
        Self(Place::Postgres(Source::Pool(pool)))
    }
}

#[cfg(feature = "mysql")]
impl From<sqlx::MySqlPool> for DatabasePool {
    fn from(pool: sqlx::MySqlPool) -> Self {
        Self(Place::MySql(Source::Pool(pool)))
    }
}

/// Its options hold a password.
impl fmt::Debug for DatabasePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DatabasePool").field(&self.0.location()).finish()
    }
}
