//! Which of a state's versions is meant.

use std::fmt;
use std::time::SystemTime;

use crate::rfc3339;

/// Which version of a state is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Moment {
    /// The version that the state had. Where it was deleted and made anew, versions begin anew too:
    /// the newest that had this number.
    Version(u64),
    /// What the entry with this [sequence number](crate::HistoryEntry::sequence) left.
    Entry(u64),
    /// What was there at this time, by the clock of the history. Each entry is later than the one
    /// before it, if only by a microsecond.
    Time(SystemTime),
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        Self::Time(time)
    }
}

impl From<&crate::HistoryEntry> for Moment {
    fn from(entry: &crate::HistoryEntry) -> Self {
        Self::Entry(entry.sequence)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "version {version}"),
            Self::Entry(sequence) => write!(f, "entry {sequence}"),
            Self::Time(time) => write!(f, "a version at {}", rfc3339::format(*time)),
        }
    }
}
