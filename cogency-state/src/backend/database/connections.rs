//! Runs scripts on the connections to one database.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Connection;
#[cfg(any(feature = "postgres", feature = "mysql"))]
use sqlx::error::DatabaseError;
use tokio::sync::oneshot::error::RecvError;
use tokio::sync::{self, oneshot};

use super::asking::Asking;
use super::dialect::{Dialect, Script, Ways, Writer};
use super::migrations::{self, Migrate};
use super::pool::NoConnection;
use super::pools::{Lent, Pools, Source};
use super::problem::{Meaning, Miss, Problem, Refusal};
use super::queries::sql::Database;
use super::statement::{Argument, Rows, Session};
use super::together::{self, MOST, Statements, Told};
use crate::query::{Document, Path};

/// A script that is to be run.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) script: Script,
    pub(super) arguments: &'a [Argument<'a>],
    pub(super) within: Duration,
    /// Whether it goes by itself also where others wait with it for a connection.
    pub(super) is_alone: bool,
}

/// A database, once it is known which: what the shared body sees of it.
#[async_trait]
pub(super) trait Server: Send + Sync {
    /// Runs a script once.
    async fn run(&self, run: Run<'_>) -> Result<Rows, Miss>;

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

/// The ways to one database.
pub(super) struct Connections<DB: Dialect> {
    pools: Pools<DB>,
    /// With what names of tables begin with.
    database: Database,
    texts: HashMap<Script, Arc<str>>,
    /// Of scripts that may go together.
    together: HashMap<Script, Arc<Statements>>,
    asking: Arc<Asking>,
    /// What writes where only one may write at a time.
    writer: Option<Box<dyn Writer>>,
    /// Whoever writes without it.
    writing: sync::Mutex<()>,
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
        let body = |script| with_names::<DB>(DB::sql(script), prefix);
        let text = |script: Script| match DB::TRANSACTION.filter(|_| script.writes()) {
            None => body(script),
            Some(transaction) => {
                let Ways { begin, commit } = transaction.of(script.is_durable());
                format!("{begin};\n{};\n{commit}", body(script).trim_end())
            }
        };
        let writing = Script::ALL.into_iter().filter(|script| script.writes());
        let writer = match &source {
            Source::Options(options) => {
                DB::writer(options, &writing.map(|script| (script, body(script).into())).collect())
            }
            Source::Pool(_) => None,
        };
        let together = Script::ALL.into_iter().filter_map(|script| {
            let statements =
                Statements::new(&DB::together(script)?, |sql| with_names::<DB>(sql, prefix));
            Some((script, Arc::new(statements)))
        });
        Self {
            pools: Pools::new(source, pool_size, connect_within),
            database: Database { sql: DB::QUERIES, prefix: prefix.to_owned(), indexed },
            texts: Script::ALL.into_iter().map(|script| (script, text(script).into())).collect(),
            together: together.collect(),
            asking: Arc::new(Asking {
                keeps_statements,
                is_strict: AtomicBool::new(false),
                connect_within,
            }),
            writer,
            writing: sync::Mutex::default(),
        }
    }

    async fn connection(&self) -> Result<Lent<DB>, Miss> {
        self.pools.acquire().await.map_err(no_connection::<DB>)
    }
}

impl<DB: Dialect> Connections<DB>
where
    DB::Connection: Session,
{
    /// Runs a script by itself.
    async fn run_alone(&self, run: Run<'_>) -> Result<Rows, Miss> {
        let lent = self.connection().await?;
        self.run_on(lent, run).await
    }

    async fn run_on(&self, lent: Lent<DB>, run: Run<'_>) -> Result<Rows, Miss> {
        let Some(text) = self.texts.get(&run.script) else {
            lent.keep();
            return Err(Problem::Strange("there is no such script").into());
        };
        self.asking.run(lent, text, run.arguments, run.within).await
    }

    /// Runs a script, with others that wait for a connection if it has to wait for one.
    async fn run_together(&self, run: Run<'_>) -> Result<Rows, Miss> {
        let Some(statements) = self.together.get(&run.script).filter(|_| run.may_join()) else {
            return self.run_alone(run).await;
        };
        let Some(pool) = self.pools.busy().map_err(no_connection::<DB>)? else {
            return self.run_alone(run).await;
        };
        let mut place = pool.waiting().join(run);
        let lent = tokio::select! {
            biased;
            told = &mut place.told => return self.told(told, run).await,
            lent = self.connection() => lent,
        };
        // Without a connection nobody goes along.
        let most = if lent.is_ok() { MOST } else { 1 };
        let Some(group) = pool.waiting().take(&place, most) else {
            // It was taken along in just that moment.
            if let Ok(lent) = lent {
                lent.keep();
            }
            return self.told(place.told.await, run).await;
        };
        let lent = lent?;
        if group.len() == 1 {
            return self.run_on(lent, run).await;
        }
        // In a task of its own: the others do not depend on whether this one goes on.
        let (asking, statements) = (Arc::clone(&self.asking), Arc::clone(statements));
        tokio::spawn(async move { together::run(&asking, &statements, lent, group).await });
        self.told(place.told.await, run).await
    }

    /// What came of it for one of several.
    async fn told(&self, told: Result<Told, RecvError>, run: Run<'_>) -> Result<Rows, Miss> {
        match told {
            Ok(Told::Answer(answer)) => answer,
            Ok(Told::Alone) => self.run_alone(run).await,
            Err(_gone) => Err(Miss::Doubtful(Problem::Lost(sqlx::Error::WorkerCrashed))),
        }
    }

    /// Whether it is a database that can hold any state, and runs our SQL.
    async fn look(&self, connection: &mut DB::Connection) -> Result<(), Miss> {
        let Some(look) = DB::LOOK else { return Ok(()) };
        let rows = connection.run(look.to_owned()).await.map_err(not_done::<DB>)?;
        let found = rows.last().ok_or(Problem::Strange("no row"))?;
        if found.int(0)? != Some(1) {
            return Err(DB::unfit().into());
        }
        self.asking.is_strict.store(found.int(1)? != Some(1), Ordering::Relaxed);
        Ok(())
    }
}

/// SQL with the names that tables have, and what puts together the state of a row `s` that is apart.
pub(super) fn with_names<DB: Dialect>(sql: &str, prefix: &str) -> String {
    sql.replace("{whole}", DB::QUERIES.whole().trim_end()).replace("{p}", prefix)
}

/// Does what has to be done before the first connection, on a thread of its own: those of the
/// runtime that may block can all be busy.
async fn prepare<DB: Dialect>(options: &<DB::Connection as Connection>::Options) -> io::Result<()> {
    let (options, (tell, told)) = (options.clone(), oneshot::channel());
    thread::Builder::new().spawn(move || {
        let prepared = DB::prepare(&options);
        // Nobody waits for it if the connect was given up.
        drop(tell.send(prepared));
    })?;
    told.await.unwrap_or_else(|panicked| Err(io::Error::other(panicked)))
}

fn no_connection<DB: Dialect>(none: NoConnection) -> Miss {
    match none {
        NoConnection::Failed(error) => not_connected::<DB>(error),
        NoConnection::NotWithin(time) => Miss::NotYet(Problem::NoConnection(time)),
        NoConnection::NoRuntime => Problem::NoRuntime.into(),
    }
}

/// Why there is no connection.
pub(super) fn not_connected<DB: Dialect>(error: sqlx::Error) -> Miss {
    match &error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => Miss::NotYet(Problem::Unreachable(error)),
        sqlx::Error::Database(refused) => match DB::meaning(&**refused) {
            Meaning::Passing | Meaning::Ending => Miss::NotYet(Problem::Unreachable(error)),
            Meaning::NoTable => Miss::Final(Problem::Unreachable(error)),
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            Meaning::ReadOnly => Miss::Final(read_only(&**refused).into()),
            Meaning::Refused(advice) => Miss::Final(Refusal::new(&**refused, advice).into()),
        },
        _ => Miss::Final(Problem::Unreachable(error)),
    }
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
fn read_only(refused: &dyn DatabaseError) -> Refusal {
    Refusal::of_an_outage(refused, "it is read-only: connect to the primary")
}

/// Why a statement that went out gave no rows.
pub(super) fn not_done<DB: Dialect>(error: sqlx::Error) -> Miss {
    let sqlx::Error::Database(refused) = &error else {
        return Miss::Doubtful(Problem::Lost(error));
    };
    match DB::meaning(&**refused) {
        Meaning::Passing => Miss::NotYet(Refusal::of_an_outage(&**refused, "try again").into()),
        Meaning::Ending => Miss::Doubtful(Refusal::of_an_outage(&**refused, "see why").into()),
        #[cfg(any(feature = "postgres", feature = "mysql"))]
        Meaning::ReadOnly => Miss::Final(read_only(&**refused).into()),
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
    DB::Connection: Session,
{
    async fn run(&self, run: Run<'_>) -> Result<Rows, Miss> {
        if DB::TRANSACTION.is_none() || !run.script.writes() {
            return self.run_together(run).await;
        }
        if let Some(writer) = &self.writer {
            return writer.write(run.script, run.arguments, run.within).await;
        }
        // Before the connection: whoever writes has the only one, perhaps.
        let _writing = self.writing.lock().await;
        self.run_alone(run).await
    }

    async fn select(
        &self,
        text: &Arc<str>,
        arguments: &[Argument<'_>],
        within: Duration,
    ) -> Result<Rows, Miss> {
        let lent = self.connection().await?;
        self.asking.run(lent, text, arguments, within).await
    }

    fn database(&self) -> &Database {
        &self.database
    }

    async fn migrate(&self, migrate: Migrate) -> Result<(), Miss> {
        if let Source::Options(options) = self.pools.source() {
            prepare::<DB>(options).await.map_err(Problem::NoFile)?;
        }
        let mut lent = self.connection().await?;
        let migrated = match self.look(lent.connection()).await {
            Ok(()) => migrations::see_to::<DB>(lent.connection(), &self.database, migrate).await,
            Err(miss) => Err(miss),
        };
        match &migrated {
            Ok(()) => lent.keep(),
            Err(miss) => lent.close(matches!(miss, Miss::Doubtful(Problem::Lost(_)))),
        }
        migrated
    }
}
