//! Why the database did not do what it was asked for.

use std::sync::Arc;
use std::time::Duration;

use sqlx::error::DatabaseError;

use crate::error::Error;
use crate::key::StateKey;

/// What is wrong, and what to do about it. Holds nothing of what was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("there is no tokio runtime here")]
    NoRuntime,

    #[error("it cannot be reached ({0}): see whether it runs, and whether the URL is right")]
    Unreachable(#[source] sqlx::Error),

    #[error(
        "no connection was free within {0:?}: see what keeps them busy, or allow more of them or \
         more time"
    )]
    NoConnection(Duration),

    #[error("the connection was lost before the answer came ({0})")]
    Lost(#[source] sqlx::Error),

    #[error("it gave no answer within {0:?}: see what keeps it busy, or allow more time")]
    TooSlow(Duration),

    #[error(
        "{bytes} bytes are more than its `max_allowed_packet` of {largest}, and were not sent: \
         raise that above the largest state"
    )]
    TooLarge { bytes: usize, largest: i64 },

    #[error(
        "indexes on paths that this program declares are missing ({0}) and it may not make them: \
         have an operator apply the SQL of `DatabaseBackendBuilder::migrations`, or declare none"
    )]
    NotIndexed(String),

    #[error("{0}")]
    Refused(#[from] Refusal),

    #[error(
        "its answer is not one that this program's statements give ({0}): see who changed them"
    )]
    Strange(&'static str),

    #[error(
        "its encoding is not UTF8, the only one that holds every state: create a database with \
         `ENCODING 'UTF8' TEMPLATE template0`, and name that in the URL"
    )]
    NotUtf8,

    #[error(
        "it is not MariaDB 10.6 or newer, the only one of this kind whose SQL this program has: \
         connect to one"
    )]
    #[cfg(feature = "mysql")]
    NotMariaDb,

    #[error("its history changed under a lease, again and again: see who else writes to it")]
    HistoryMoves,

    #[error("the state is not text in UTF-8, which a column that is JSON has to be")]
    NotText,

    #[error(
        "its tables are at version {found} and this program needs version {needed}; missing: \
         {missing}. Apply them by hand (`DatabaseBackendBuilder::migrations` has their SQL), or \
         leave out `migrate=never`"
    )]
    NotMigrated { found: i64, needed: i64, missing: String },

    #[error(
        "its tables are at version {found}, this program knows {known}, and were left as they \
         are: upgrade cogency-state"
    )]
    OfTheFuture { found: i64, known: i64 },

    #[error("another process has been changing its tables for a minute: see what keeps it")]
    BeingMigrated,

    /// Of several that went together.
    #[error(transparent)]
    Shared(Arc<Problem>),

    #[error("too much waits to be written to its file already: see what keeps that busy")]
    #[cfg(feature = "sqlite")]
    Crowded,

    #[error("there is no thread for it ({0})")]
    #[cfg(feature = "sqlite")]
    NoThread(#[source] std::io::Error),

    #[error("its file cannot be made ({0}): look at the folder")]
    NoFile(#[source] std::io::Error),
}

impl Problem {
    /// As an error of the library's.
    pub(super) fn into_error(
        self,
        key: Option<&StateKey>,
        location: &str,
        operation: &'static str,
    ) -> Error {
        if self.is_outage() {
            return Error::out_of_reach(key, location, operation, self);
        }
        match self {
            Self::NoRuntime => Error::NoRuntime,
            problem => Error::backend(key, location, operation, problem),
        }
    }

    /// Whether the database is out of reach, rather than unwilling.
    fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable(error) => {
                matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut)
                    || matches!(error, sqlx::Error::Database(_))
            }
            Self::NoConnection(_) | Self::Lost(_) | Self::TooSlow(_) => true,
            Self::Refused(refusal) => refusal.is_outage,
            Self::Shared(problem) => problem.is_outage(),
            #[cfg(feature = "sqlite")]
            Self::Crowded => true,
            _ => false,
        }
    }
}

/// An error that the database answered with.
#[derive(Debug, thiserror::Error)]
#[error("it answered {code} `{message}`: {advice}")]
pub(super) struct Refusal {
    code: String,
    message: String,
    advice: &'static str,
    is_outage: bool,
}

impl Refusal {
    pub(super) fn new(error: &dyn DatabaseError, advice: &'static str) -> Self {
        let code = error.code().unwrap_or_default().into_owned();
        Self { code, message: plain(error.message()), advice, is_outage: false }
    }

    /// One that another server, or this one later, would not give.
    pub(super) fn of_an_outage(error: &dyn DatabaseError, advice: &'static str) -> Self {
        Self { is_outage: true, ..Self::new(error, advice) }
    }
}

/// A message as far as it cannot quote what was sent: up to the first quotation.
fn plain(message: &str) -> String {
    let end = message.find(['\'', '"', '\n']).unwrap_or(message.len());
    message.get(..end).unwrap_or_default().trim_end().to_owned()
}

/// A try that failed.
#[derive(Debug)]
pub(super) enum Miss {
    /// It was not done, and will not be done later.
    Final(Problem),
    /// It was not done, and may be done in a moment.
    NotYet(Problem),
    /// It went out and may have been done.
    Doubtful(Problem),
}

impl Miss {
    pub(super) fn problem(self) -> Problem {
        match self {
            Self::Final(problem) | Self::NotYet(problem) | Self::Doubtful(problem) => problem,
        }
    }
}

impl From<Problem> for Miss {
    fn from(problem: Problem) -> Self {
        Self::Final(problem)
    }
}

/// A statement that failed for good.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) problem: Problem,
    /// Whether it may have been done all the same: it went out, and its answer was lost.
    pub(super) is_doubtful: bool,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { problem, is_doubtful: false }
    }
}

/// What an error of the database's means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing was done; tried again it may go well.
    Passing,
    /// The connection is ending, and perhaps what it did last was done.
    Ending,
    /// There is no such table.
    NoTable,
    /// It is a server that only reads.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    ReadOnly,
    /// It will not be done; what to do about it.
    Refused(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Also where it is told to several that wrote together: their states go to the spool.
    #[test]
    fn no_answer_is_an_outage_whoever_is_told_of_it() {
        let slow = Problem::TooSlow(Duration::from_secs(5));
        assert!(slow.is_outage());
        assert!(Problem::Shared(Arc::new(slow)).is_outage());
        assert!(!Problem::Shared(Arc::new(Problem::HistoryMoves)).is_outage());
    }
}
