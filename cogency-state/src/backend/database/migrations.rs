//! The tables, and how they come to be as this version needs them.
//!
//! The migrations are applied in one session that other processes wait for: PostgreSQL holds a lock
//! that ends with the transaction, SQLite its only writer's, MariaDB one that has a name.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::connections::{not_done, with_names};
use super::dialect::{Dialect, Migration};
use super::problem::{Meaning, Miss, Problem};
use super::queries::indexes;
use super::queries::sql::Database;
use super::records::LAST_PAUSE;
use super::statement::{Rows, Session};
use crate::query::{Document, Path};

/// How long others may be at the tables.
const OTHERS_WITHIN: Duration = Duration::from_secs(60);

/// Who applies the migrations that are missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Migrate {
    /// Whoever connects first.
    #[default]
    AtConnect,
    /// An operator, by hand.
    Never,
}

/// The SQL of all migrations, to be applied by hand with the database's own client.
pub(super) fn text<DB: Dialect>(prefix: &str, indexed: Vec<(Document, Path)>) -> String {
    let migrating = DB::MIGRATING;
    let database = Database { sql: DB::QUERIES, prefix: prefix.to_owned(), indexed };
    let (before, after) = DB::BY_HAND;
    let mut text = format!("{before}{};\n", with_names::<DB>(migrating.table.trim_end(), prefix));
    for migration in migrating.migrations {
        let sql = with_names::<DB>(migration.sql, prefix);
        let sql = sql.trim_end().trim_end_matches(';');
        let (Migration { version, about, .. }, noted) = (migration, noted(migration, prefix));
        text.extend(["\n-- ", &version.to_string(), ": ", about, "\n", sql, ";\n", &noted, ";\n"]);
    }
    text + &database.indexes_text() + after
}

/// Sees to it that the tables are as they have to be.
pub(super) async fn see_to<DB: Dialect>(
    session: &mut dyn Session,
    database: &Database,
    migrate: Migrate,
) -> Result<(), Miss> {
    let prefix = &*database.prefix;
    let migrating = DB::MIGRATING;
    let needed = migrating.migrations.last().map_or(0, |migration| migration.version);
    let found = match version::<DB>(session, prefix).await {
        Ok(found) => found,
        Err(sqlx::Error::Database(refused)) if DB::meaning(&*refused) == Meaning::NoTable => 0,
        Err(error) => return Err(not_done::<DB>(error)),
    };
    let known = needed;
    if found > known {
        return Err(Problem::OfTheFuture { found, known }.into());
    }
    if found == needed {
        let missing = indexes::missing(session, database).await.map_err(not_done::<DB>)?;
        if missing.is_empty() {
            return Ok(());
        }
        if migrate == Migrate::Never {
            return Err(Problem::NotIndexed(indexes::named(&missing)).into());
        }
    }
    if migrate == Migrate::Never {
        let missing = missing(migrating.migrations, found);
        return Err(Problem::NotMigrated { found, needed, missing }.into());
    }
    let applied = apply::<DB>(session, database).await;
    applied.map_err(|error| error.map_or(Miss::NotYet(Problem::BeingMigrated), not_done::<DB>))
}

fn missing(migrations: &[Migration], found: i64) -> String {
    let missing = migrations.iter().filter(|migration| migration.version > found);
    let names = missing.map(|migration| format!("{} ({})", migration.version, migration.about));
    names.collect::<Vec<_>>().join(", ")
}

async fn version<DB: Dialect>(session: &mut dyn Session, prefix: &str) -> Result<i64, sqlx::Error> {
    let sql = with_names::<DB>("SELECT version FROM {p}migrations ORDER BY version", prefix);
    Ok(last_number(&session.run(sql).await?))
}

/// Applies what is missing. `None` if others did not let it for a long time.
async fn apply<DB: Dialect>(
    session: &mut dyn Session,
    database: &Database,
) -> Result<(), Option<sqlx::Error>> {
    let prefix = &*database.prefix;
    let migrating = DB::MIGRATING;
    if !begin::<DB>(session, prefix).await? {
        return Err(None);
    }
    session.run(with_names::<DB>(migrating.table, prefix)).await?;
    // Another process may have been here while this one waited.
    let found = version::<DB>(session, prefix).await?;
    for migration in migrating.migrations.iter().filter(|each| each.version > found) {
        session.run(with_names::<DB>(migration.sql, prefix)).await?;
        session.run(noted(migration, prefix)).await?;
        tracing::info!(version = migration.version, "the tables were migrated");
    }
    for index in indexes::missing(session, database).await? {
        index.make(session, prefix).await?;
    }
    session.run(with_names::<DB>(migrating.commit, prefix)).await?;
    Ok(())
}

/// Begins, once nobody else is at the tables. `false` if others do not let it for a long time.
async fn begin<DB: Dialect>(session: &mut dyn Session, prefix: &str) -> Result<bool, sqlx::Error> {
    let sql = with_names::<DB>(DB::MIGRATING.begin, prefix);
    let deadline = Instant::now() + OTHERS_WITHIN;
    loop {
        match session.run(sql.clone()).await {
            Ok(begun) => return Ok(last_number(&begun) == 1),
            // The others wait by themselves: for a lock of the server's.
            Err(error) if DB::TRANSACTION.is_none() || !is_passing::<DB>(&error) => {
                return Err(error);
            }
            Err(_) if Instant::now() >= deadline => return Ok(false),
            Err(_) => sleep(LAST_PAUSE).await,
        }
    }
}

fn is_passing<DB: Dialect>(error: &sqlx::Error) -> bool {
    let refused = error.as_database_error();
    refused.is_some_and(|refused| DB::meaning(refused) == Meaning::Passing)
}

/// Notes that a migration was applied.
fn noted(migration: &Migration, prefix: &str) -> String {
    format!("INSERT INTO {prefix}migrations (version) VALUES ({})", migration.version)
}

fn last_number(rows: &Rows) -> i64 {
    rows.last().and_then(|row| row.int(0).ok().flatten()).unwrap_or(0)
}
