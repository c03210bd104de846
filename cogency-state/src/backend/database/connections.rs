//! The pool of connections to one database, for each runtime that uses it: a connection belongs to
//! the runtime that made it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::{ConnectOptions, Connection, Pool};
use tokio::runtime::{Handle, Id};
use tokio::sync;
use tokio::time::timeout;

use super::dialect::{Dialect, Script};
use super::migrations::{self, Migrate};
use super::problem::{Meaning, Miss, Problem, Refusal};
use super::queries::sql::Database;
use super::statement::{Argument, Rows, Session};
use crate::query::{Document, Path};

/// A database, once it is known which: what the shared body sees of it.
#[async_trait]
pub(super) trait Server: Send + Sync {
    /// Runs a script once.
    async fn run(
        &self,
        script: Script,
        arguments: &[Argument<'_>],
        within: Duration,
    ) -> Result<Rows, Miss>;

    /// Runs a statement once.
    async fn select(
        &self,
        text: &Arc<str>,
        arguments: &[Argument<'_>],
        within: Duration,
    ) -> Result<Rows, Miss>;

    /// The database, as queries see it.
    fn database(&self) -> &Database;

    /// Sees to the tables.
    async fn migrate(&self, migrate: Migrate) -> Result<(), Miss>;
}

/// The options of a connection to a database.
pub(super) type Options<DB> = <<DB as sqlx::Database>::Connection as Connection>::Options;

/// The ways to one database.
pub(super) struct Connections<DB: Dialect> {
    pools: Arc<Pools<DB>>,
    /// With what names of tables begin with.
    database: Database,
    texts: HashMap<&'static str, Arc<str>>,
    /// Whether statements stay prepared on a connection.
    keeps_statements: bool,
    connect_within: Duration,
    writing: sync::Mutex<()>,
}

/// What pools are made of.
pub(super) enum Source<DB: Dialect> {
    Options(Options<DB>),
    /// One of the user's own.
    Pool(Pool<DB>),
}

impl<DB: Dialect> Source<DB> {
    pub(super) fn options(&self) -> Cow<'_, Options<DB>> {
        match self {
            Self::Options(options) => Cow::Borrowed(options),
            Self::Pool(pool) => Cow::Owned((*pool.connect_options()).clone()),
        }
    }
}

struct Pools<DB: Dialect> {
    source: Source<DB>,
    options: PoolOptions<DB>,
    by_runtime: Mutex<HashMap<Id, Pool<DB>>>,
}

impl<DB: Dialect> Pools<DB> {
    fn get(self: &Arc<Self>) -> Result<Pool<DB>, Problem> {
        let options = match &self.source {
            Source::Pool(pool) => return Ok(pool.clone()),
            Source::Options(options) => options,
        };
        let runtime = Handle::try_current().map_err(|_| Problem::NoRuntime)?;
        if let Some(pool) = self.lock().get(&runtime.id()) {
            return Ok(pool.clone());
        }
        let pool = self.options.clone().connect_lazy_with(options.clone());
        self.lock().insert(runtime.id(), pool.clone());
        Forget { pools: Arc::downgrade(self), runtime: runtime.id() }.with(&runtime);
        Ok(pool)
    }

    /// No code that can panic runs under the lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Pool<DB>>> {
        self.by_runtime.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the pool of a runtime that ends, as it drops its tasks then.
struct Forget<DB: Dialect> {
    pools: Weak<Pools<DB>>,
    runtime: Id,
}

impl<DB: Dialect> Forget<DB> {
    fn with(self, runtime: &Handle) {
        runtime.spawn(async move {
            std::future::pending::<()>().await;
            drop(self);
        });
    }
}

impl<DB: Dialect> Drop for Forget<DB> {
    fn drop(&mut self) {
        let Some(pools) = self.pools.upgrade() else { return };
        let forgotten = pools.lock().remove(&self.runtime);
        // Its connections are closed without the lock.
        drop(forgotten);
    }
}

impl<DB: Dialect> Connections<DB> {
    pub(super) fn new(
        source: Source<DB>,
        pool_size: u32,
        prefix: &str,
        indexed: Vec<(Document, Path)>,
        keeps_statements: bool,
        connect_within: Duration,
    ) -> Self {
        // A look at a connection before each use would be a round trip: one that is lost shows.
        let options = PoolOptions::new()
            .max_connections(pool_size)
            .acquire_timeout(connect_within)
            .test_before_acquire(false);
        let text = |script| (DB::sql(script), with_prefix(DB::sql(script), prefix).into());
        Self {
            pools: Arc::new(Pools { source, options, by_runtime: Mutex::default() }),
            database: Database { sql: DB::QUERIES, prefix: prefix.to_owned(), indexed },
            texts: Script::ALL.into_iter().map(text).collect(),
            keeps_statements,
            connect_within,
            writing: sync::Mutex::new(()),
        }
    }

    async fn connection(&self) -> Result<PoolConnection<DB>, Miss> {
        let error = match self.pools.get()?.acquire().await {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        match (error, &self.pools.source) {
            // The pool waited for a server that is away, and does not say so.
            (sqlx::Error::PoolTimedOut, Source::Options(options)) => {
                match timeout(self.connect_within, options.connect()).await {
                    Ok(Err(error)) => Err(not_connected::<DB>(error)),
                    _ => Err(Miss::NotYet(Problem::NoConnection(self.connect_within))),
                }
            }
            (sqlx::Error::PoolTimedOut, _) => {
                Err(Miss::NotYet(Problem::NoConnection(self.connect_within)))
            }
            (error, _) => Err(not_connected::<DB>(error)),
        }
    }
}

impl<DB: Dialect> Connections<DB>
where
    PoolConnection<DB>: Session,
{
    async fn ask(
        &self,
        connection: &mut PoolConnection<DB>,
        text: &Arc<str>,
        arguments: &[Argument<'_>],
    ) -> Result<Rows, sqlx::Error> {
        if self.keeps_statements || !DB::PREPARES_IN_TRANSACTIONS {
            return connection.ask(text, arguments, self.keeps_statements).await;
        }
        connection.run("BEGIN".to_owned()).await?;
        let rows = connection.ask(text, arguments, false).await?;
        connection.run("COMMIT".to_owned()).await?;
        Ok(rows)
    }
}

/// SQL with the names that tables have.
pub(super) fn with_prefix(sql: &str, prefix: &str) -> String {
    sql.replace("{p}", prefix)
}

/// Why there is no connection.
fn not_connected<DB: Dialect>(error: sqlx::Error) -> Miss {
    match &error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => Miss::NotYet(Problem::Unreachable(error)),
        sqlx::Error::Database(refused) => match DB::meaning(&**refused) {
            Meaning::Passing | Meaning::Ending => Miss::NotYet(Problem::Unreachable(error)),
            Meaning::NoTable => Miss::Final(Problem::Unreachable(error)),
            Meaning::Refused(advice) => Miss::Final(Refusal::new(&**refused, advice).into()),
        },
        _ => Miss::Final(Problem::Unreachable(error)),
    }
}

/// Why a statement that went out gave no rows.
pub(super) fn not_done<DB: Dialect>(error: sqlx::Error) -> Miss {
    let sqlx::Error::Database(refused) = &error else {
        return Miss::Doubtful(Problem::Lost(error));
    };
    match DB::meaning(&**refused) {
        Meaning::Passing => Miss::NotYet(Refusal::new(&**refused, "try again").into()),
        Meaning::Ending => Miss::Doubtful(Refusal::new(&**refused, "see why").into()),
        Meaning::NoTable => {
            let advice = "a table or function is missing: see who removed it, or restart this \
                          program, which makes them anew";
            Miss::Final(Refusal::new(&**refused, advice).into())
        }
        Meaning::Refused(advice) => Miss::Final(Refusal::new(&**refused, advice).into()),
    }
}

#[async_trait]
impl<DB: Dialect> Server for Connections<DB>
where
    PoolConnection<DB>: Session,
{
    async fn run(
        &self,
        script: Script,
        arguments: &[Argument<'_>],
        within: Duration,
    ) -> Result<Rows, Miss> {
        // Before the connection: whoever writes has the only one, perhaps.
        let _writing =
            if DB::ONE_WRITER && script.writes() { Some(self.writing.lock().await) } else { None };
        let Some(text) = self.texts.get(DB::sql(script)) else {
            return Err(Problem::Strange("there is no such script").into());
        };
        self.select(text, arguments, within).await
    }

    async fn select(
        &self,
        text: &Arc<str>,
        arguments: &[Argument<'_>],
        within: Duration,
    ) -> Result<Rows, Miss> {
        let mut connection = self.connection().await?;
        let miss = match timeout(within, self.ask(&mut connection, text, arguments)).await {
            Ok(Ok(rows)) => return Ok(rows),
            Ok(Err(error)) => not_done::<DB>(error),
            Err(_) => Miss::Doubtful(Problem::TooSlow(within)),
        };
        // Whatever it is in the middle of, nobody else gets it.
        connection.close_on_drop();
        Err(miss)
    }

    fn database(&self) -> &Database {
        &self.database
    }

    async fn migrate(&self, migrate: Migrate) -> Result<(), Miss> {
        if let Source::Options(options) = &self.pools.source {
            let options = options.clone();
            let prepared = tokio::task::spawn_blocking(move || DB::prepare(&options)).await;
            let prepared = prepared.map_err(|_| Problem::NoRuntime)?;
            prepared.map_err(Problem::NoFile)?;
        }
        let mut connection = self.connection().await?;
        let migrated = migrations::see_to::<DB>(&mut connection, &self.database, migrate).await;
        if migrated.is_err() {
            connection.close_on_drop();
        }
        migrated
    }
}
