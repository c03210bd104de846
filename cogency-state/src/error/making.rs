//! How backends, ours and third parties', make errors: the variants are open to new fields, so
//! nobody else can write them down.

use super::{BoxError, Error};
use crate::blob::BlobId;
use crate::history::Moment;
use crate::key::StateKey;
use crate::record::WriteId;

impl Error {
    /// An [`Error::Conflict`] between the version that a save was made from and the one there;
    /// 0 stands for no record.
    #[must_use]
    pub fn conflict(key: &StateKey, backend: &str, expected: u64, found: u64) -> Self {
        let (key, backend) = (key.clone(), backend.to_owned());
        Self::Conflict { key, backend, expected, found }
    }

    /// An [`Error::LeaseLost`].
    #[must_use]
    pub fn lease_lost(key: &StateKey, backend: &str, token: u64) -> Self {
        Self::LeaseLost { key: key.clone(), backend: backend.to_owned(), token }
    }

    /// An [`Error::Corrupt`]. The reason must not quote the record.
    #[must_use]
    pub fn corrupt(key: &StateKey, backend: &str, reason: impl Into<String>) -> Self {
        Self::Corrupt { key: key.clone(), backend: backend.to_owned(), reason: reason.into() }
    }

    /// An [`Error::BlobMissing`].
    #[must_use]
    pub fn blob_missing(key: &StateKey, backend: &str, id: BlobId) -> Self {
        Self::BlobMissing { key: key.clone(), backend: backend.to_owned(), id }
    }

    /// That a backend keeps no blobs.
    pub(crate) fn no_blobs(backend: &str) -> Self {
        let reason = format!(
            "no blobs are kept in {backend}: leave `Blob` out of the state, or keep the states \
             elsewhere"
        );
        Self::Config { reason }
    }

    /// That a backend cannot set anything aside.
    pub(crate) fn no_aside(backend: &str) -> Self {
        let reason = format!(
            "states in {backend} cannot be set aside: let `on_llm_change` and `on_unreadable` \
             refuse or keep, or keep the states elsewhere"
        );
        Self::Config { reason }
    }

    /// An [`Error::OutcomeUnknown`].
    #[must_use]
    pub fn outcome_unknown(
        key: &StateKey,
        backend: &str,
        write_id: Option<WriteId>,
        source: impl Into<BoxError>,
    ) -> Self {
        let (key, backend, source) = (key.clone(), backend.to_owned(), source.into());
        Self::OutcomeUnknown { key, backend, write_id, source }
    }

    /// An [`Error::NoSuchVersion`] of what was asked for.
    #[must_use]
    pub fn no_such_version(key: &StateKey, backend: &str, wanted: Moment) -> Self {
        let (key, backend, wanted) = (key.clone(), backend.to_owned(), wanted.to_string());
        Self::NoSuchVersion { key, backend, wanted }
    }

    /// An [`Error::HistoryBroken`]. The reason must not quote what is stored.
    #[must_use]
    pub fn history_broken(
        key: &StateKey,
        backend: &str,
        sequence: u64,
        reason: impl Into<String>,
    ) -> Self {
        let (key, backend, reason) = (key.clone(), backend.to_owned(), reason.into());
        Self::HistoryBroken { key, backend, sequence, reason }
    }

    /// An [`Error::Backend`]. Neither the source nor its sources may hold secrets.
    #[must_use]
    pub fn backend(
        key: Option<&StateKey>,
        backend: &str,
        operation: &'static str,
        source: impl Into<BoxError>,
    ) -> Self {
        let (key, backend, source) = (key.cloned(), backend.to_owned(), source.into());
        Self::Backend { key, backend, operation, is_outage: false, source }
    }

    /// An [`Error::Backend`] of a backend that is out of reach: it [is an
    /// outage](Self::is_outage).
    #[must_use]
    pub fn out_of_reach(
        key: Option<&StateKey>,
        backend: &str,
        operation: &'static str,
        source: impl Into<BoxError>,
    ) -> Self {
        let (key, backend, source) = (key.cloned(), backend.to_owned(), source.into());
        Self::Backend { key, backend, operation, is_outage: true, source }
    }
}
