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
use tokio::sync::{self, oneshot};
use tokio::time::timeout;

use super::dialect::{Dialect, Script, Ways, Writer};
use super::migrations::{self, Migrate};
use super::pool::NoConnection;
use super::pools::{Lent, Pools, Source};
use super::problem::{Meaning, Miss, Problem, Refusal};
use super::queries::sql::Database;
use super::statement::{Argument, Rows, Session};
use crate::query::{Document, Path};

/// What an argument takes beside its bytes, of all of them together.
const MARGIN: usize = 1 << 10;
/// No server is set up for less at once.
const ALWAYS_FITS: usize = 512 << 10;

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

/// The ways to one database.
pub(super) struct Connections<DB: Dialect> {
    pools: Pools<DB>,
    /// With what names of tables begin with.
    database: Database,
    texts: HashMap<Script, Arc<str>>,
    /// Whether statements stay prepared on a connection.
    keeps_statements: bool,
    /// Whether a transaction does not see what others commit meanwhile, unless it is told to.
    is_strict: AtomicBool,
    connect_within: Duration,
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
        Self {
            pools: Pools::new(source, pool_size, connect_within),
            database: Database { sql: DB::QUERIES, prefix: prefix.to_owned(), indexed },
            texts: Script::ALL.into_iter().map(|script| (script, text(script).into())).collect(),
            keeps_statements,
            is_strict: AtomicBool::new(false),
            connect_within,
            writer,
            writing: sync::Mutex::default(),
        }
    }

    async fn connection(&self) -> Result<Lent<DB>, Miss> {
        self.pools.acquire().await.map_err(|none| match none {
            NoConnection::Failed(error) => not_connected::<DB>(error),
            NoConnection::NotWithin(time) => Miss::NotYet(Problem::NoConnection(time)),
            NoConnection::NoRuntime => Problem::NoRuntime.into(),
        })
    }
}

impl<DB: Dialect> Connections<DB>
where
    DB::Connection: Session,
{
    async fn ask(
        &self,
        connection: &mut DB::Connection,
        text: &Arc<str>,
        arguments: &[Argument<'_>],
    ) -> Result<Rows, sqlx::Error> {
        let is_plain = self.keeps_statements && !self.is_strict.load(Ordering::Relaxed);
        let Some(begin) = DB::BEGIN.filter(|_| !is_plain) else {
            return connection.ask(text, arguments, self.keeps_statements).await;
        };
        connection.run(begin.to_owned()).await?;
        let rows = connection.ask(text, arguments, self.keeps_statements).await?;
        connection.run("COMMIT".to_owned()).await?;
        Ok(rows)
    }

    /// Runs a script by itself.
    async fn run_alone(
        &self,
        script: Script,
        arguments: &[Argument<'_>],
        within: Duration,
    ) -> Result<Rows, Miss> {
        let Some(text) = self.texts.get(&script) else {
            return Err(Problem::Strange("there is no such script").into());
        };
        self.run_text(text, arguments, within).await
    }

    async fn run_text(
        &self,
        text: &Arc<str>,
        arguments: &[Argument<'_>],
        within: Duration,
    ) -> Result<Rows, Miss> {
        let mut lent = self.connection().await?;
        let connection = lent.connection();
        let miss = match self.fits(connection, arguments).await {
            Ok(()) => match timeout(within, self.ask(connection, text, arguments)).await {
                Ok(Ok(rows)) => {
                    lent.keep();
                    return Ok(rows);
                }
                Ok(Err(error)) => not_done::<DB>(error),
                Err(_) => Miss::Doubtful(Problem::TooSlow(within)),
            },
            Err(miss) => miss,
        };
        lent.close(matches!(&miss, Miss::Doubtful(Problem::Lost(_))));
        Err(miss)
    }

    /// Whether the server takes so much at once.
    async fn fits(
        &self,
        connection: &mut DB::Connection,
        arguments: &[Argument<'_>],
    ) -> Result<(), Miss> {
        let bytes = arguments.iter().map(Argument::bytes).sum::<usize>() + MARGIN;
        let Some(look) = DB::LARGEST.filter(|_| bytes > ALWAYS_FITS) else { return Ok(()) };
        let looking = timeout(self.connect_within, connection.run(look.to_owned())).await;
        // Nothing of what was asked for was sent.
        let rows = match looking {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => return Err(Miss::NotYet(Problem::Lost(error))),
            Err(_) => return Err(Miss::NotYet(Problem::TooSlow(self.connect_within))),
        };
        let largest = rows.last().map(|row| row.int(0)).transpose()?.flatten().unwrap_or(i64::MAX);
        if i64::try_from(bytes).is_ok_and(|bytes| bytes <= largest) {
            return Ok(());
        }
        Err(Problem::TooLarge { bytes, largest }.into())
    }

    /// Whether it is a database that can hold any state, and runs our SQL.
    async fn look(&self, connection: &mut DB::Connection) -> Result<(), Miss> {
        let Some(look) = DB::LOOK else { return Ok(()) };
        let rows = connection.run(look.to_owned()).await.map_err(not_done::<DB>)?;
        let found = rows.last().ok_or(Problem::Strange("no row"))?;
        if found.int(0)? != Some(1) {
            return Err(DB::unfit().into());
        }
        self.is_strict.store(found.int(1)? != Some(1), Ordering::Relaxed);
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
    async fn run(
        &self,
        script: Script,
        arguments: &[Argument<'_>],
        within: Duration,
    ) -> Result<Rows, Miss> {
        if DB::TRANSACTION.is_none() || !script.writes() {
            return self.run_alone(script, arguments, within).await;
        }
        if let Some(writer) = &self.writer {
            return writer.write(script, arguments, within).await;
        }
        // Before the connection: whoever writes has the only one, perhaps.
        let _writing = self.writing.lock().await;
        self.run_alone(script, arguments, within).await
    }

    async fn select(
        &self,
        text: &Arc<str>,
        arguments: &[Argument<'_>],
        within: Duration,
    ) -> Result<Rows, Miss> {
        self.run_text(text, arguments, within).await
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
