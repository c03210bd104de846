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

/// Up to which size states stand in their rows, where the environment says another than the usual
/// one: with `COGENCY_WHOLE_UP_TO=0` all tests have all states apart.
#[must_use]
pub fn whole_up_to() -> Option<usize> {
    std::env::var("COGENCY_WHOLE_UP_TO").ok().map(|bytes| bytes.parse().unwrap())
}
