//! Why a state could not be spooled.

use std::fmt;
use std::io;
use std::time::Duration;

/// Why the [spool](crate::OnOutage::Spool) did not take a state.
#[derive(Debug)]
#[non_exhaustive]
pub enum SpoolProblem {
    /// It holds as much as it may.
    #[non_exhaustive]
    Full {
        /// How many bytes it holds.
        bytes: u64,
        /// How many it may hold.
        limit: u64,
    },
    /// What it holds has been waiting for longer than it may.
    #[non_exhaustive]
    TooOld {
        /// For how long the oldest state has been waiting.
        age: Duration,
        /// For how long one may.
        limit: Duration,
    },
    /// Its folder cannot be used.
    Unusable(io::Error),
}

impl fmt::Display for SpoolProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { bytes, limit } => write!(
                f,
                "it holds {bytes} bytes of the {limit} that it may: get the backend back, resolve \
                 what is in conflict, or allow more with `spool_bytes`"
            ),
            Self::TooOld { age, limit } => write!(
                f,
                "a state has been waiting in it for {}, and {} are allowed: get the backend back, \
                 or allow more with `spool_age`",
                humantime::format_duration(Duration::from_secs(age.as_secs())),
                humantime::format_duration(*limit)
            ),
            Self::Unusable(error) => {
                write!(f, "{error}: make the folder writable, or name another with `spool_dir`")
            }
        }
    }
}

impl From<io::Error> for SpoolProblem {
    fn from(error: io::Error) -> Self {
        Self::Unusable(error)
    }
}
