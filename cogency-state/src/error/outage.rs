//! Whether a backend is out of reach, and why.

use super::Error;

impl Error {
    /// Whether the backend is out of reach: nothing was done, and the same may go well later
    /// without a change to the program, its configuration or the states.
    ///
    /// So are servers that refuse connections or lose them, give no answer in time, are starting,
    /// shutting down or electing a master, have no connection left, or are replicas that only
    /// read. Not so what the server or the state itself refuses: passwords, access rights, a full
    /// disk or memory, damaged records, conflicts, lost leases.
    ///
    /// [`OutcomeUnknown`](Self::OutcomeUnknown) is no outage by this: something may have been
    /// done.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Backend { is_outage, .. } => *is_outage,
            Self::NotSpooled { source, .. } => source.is_outage(),
            _ => false,
        }
    }

    /// What went wrong, without where and with whose state.
    pub(crate) fn cause(&self) -> String {
        match self {
            Self::Backend { source, .. } | Self::OutcomeUnknown { source, .. } => {
                source.to_string()
            }
            Self::NotSpooled { source, .. } => source.cause(),
            other => other.to_string(),
        }
    }
}
