//! Why one try failed, and what became of it.

use redis::{ErrorKind, RedisError};

use crate::backend::redis::problem::{Problem, Refusal, is_of_the_network};

/// A try that failed.
#[derive(Debug)]
pub(super) enum Miss {
    /// It was done or not, and will not be done later: the server said so.
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

    /// Why there is no connection.
    pub(super) fn not_connected(error: RedisError) -> Self {
        match error.kind() {
            ErrorKind::AuthenticationFailed => Self::Final(Problem::NotLetIn(error)),
            // A certificate that is not trusted, or a server that does not speak TLS.
            ErrorKind::Io if !is_of_the_network(&error) => Self::Final(Problem::Unreachable(error)),
            ErrorKind::Io => Self::NotYet(Problem::Unreachable(error)),
            ErrorKind::Server(redis::ServerErrorKind::BusyLoading) => {
                Self::NotYet(Problem::Unreachable(error))
            }
            _ => Self::Final(Problem::Unreachable(error)),
        }
    }

    /// Why a new connection is of no use.
    pub(super) fn not_usable(problem: Problem) -> Self {
        match &problem {
            Problem::Refused(refusal) if !refusal.is_passing() => Self::Final(problem),
            _ => Self::NotYet(problem),
        }
    }

    /// The redirection that a server answered with.
    pub(super) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Final(Problem::Refused(refusal)) | Self::NotYet(Problem::Refused(refusal)) => {
                Some(refusal)
            }
            _ => None,
        }
    }
}

impl From<Problem> for Miss {
    fn from(problem: Problem) -> Self {
        Self::Final(problem)
    }
}
