//! One use of a connection: a statement, and what came of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::timeout;

use super::connections::not_done;
use super::dialect::Dialect;
use super::pools::Lent;
use super::problem::{Miss, Problem};
use super::statement::{Argument, Rows, Session};

/// What an argument takes beside its bytes, of all of them together.
const MARGIN: usize = 1 << 10;
/// No server is set up for less at once.
const ALWAYS_FITS: usize = 512 << 10;

/// How connections to one database are used.
pub(super) struct Asking {
    /// Whether statements stay prepared on a connection.
    pub(super) keeps_statements: bool,
    /// Whether a transaction does not see what others commit meanwhile, unless it is told to.
    pub(super) is_strict: AtomicBool,
    pub(super) connect_within: Duration,
}

impl Asking {
    /// Runs a statement, and keeps the connection or gives it up.
    pub(super) async fn run<DB: Dialect>(
        &self,
        mut lent: Lent<DB>,
        text: &Arc<str>,
        arguments: &[Argument<'_>],
        within: Duration,
    ) -> Result<Rows, Miss>
    where
        DB::Connection: Session,
    {
        let connection = lent.connection();
        let miss = match self.fits::<DB>(connection, arguments).await {
            Ok(()) => match timeout(within, self.ask::<DB>(connection, text, arguments)).await {
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

    async fn ask<DB: Dialect>(
        &self,
        connection: &mut DB::Connection,
        text: &Arc<str>,
        arguments: &[Argument<'_>],
    ) -> Result<Rows, sqlx::Error>
    where
        DB::Connection: Session,
    {
        let is_plain = self.keeps_statements && !self.is_strict.load(Ordering::Relaxed);
        let Some(begin) = DB::BEGIN.filter(|_| !is_plain) else {
            return connection.ask(text, arguments, self.keeps_statements).await;
        };
        connection.run(begin.to_owned()).await?;
        let rows = connection.ask(text, arguments, self.keeps_statements).await?;
        connection.run("COMMIT".to_owned()).await?;
        Ok(rows)
    }

    /// Whether the server takes so much at once.
    async fn fits<DB: Dialect>(
        &self,
        connection: &mut DB::Connection,
        arguments: &[Argument<'_>],
    ) -> Result<(), Miss>
    where
        DB::Connection: Session,
    {
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
}
