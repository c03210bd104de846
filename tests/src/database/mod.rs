//! Database servers and files of the tests' own.

// As every test, it panics where something is not as it should be.
#![expect(clippy::missing_panics_doc)]

mod mariadb;
mod pgbouncer;
mod postgres;
mod process;
mod server;
mod sqlite;

pub use pgbouncer::PgBouncer;
pub use server::{DatabaseServer, shared_mariadb, shared_postgres};
pub use sqlite::SqliteFile;
