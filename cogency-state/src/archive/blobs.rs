//! The blobs that archived states and versions name: a file for each, by its hash, however many name
//! it.

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::Archive;
use super::entry::Entry;
use super::place::Place;
use super::problem::Problem;
use crate::backend::{Lease, StateBackend};
use crate::blob::BlobId;
use crate::error::Error;
use crate::key::StateKey;

impl Archive {
    /// The bytes of a [blob](crate::Blob) that something archived names; `None` if the archive does
    /// not have it.
    ///
    /// # Errors
    /// [`Error::Backend`] if the archive cannot be read, or the blob is damaged.
    pub async fn load_blob(&self, id: BlobId) -> Result<Option<Bytes>, Error> {
        read(&self.place, id).await.map_err(|problem| self.failed(problem))
    }

    /// Brings blobs back to where a state is about to be restored.
    pub(super) async fn restore_blobs(
        &self,
        backend: &dyn StateBackend,
        lease: &Lease,
        ids: &[BlobId],
    ) -> Result<(), Error> {
        for id in ids {
            let Some(blobs) = backend.blobs() else {
                return Err(Error::no_blobs(backend.location()));
            };
            if let Some(bytes) = self.load_blob(*id).await? {
                blobs.save_blob(lease, *id, &bytes).await?;
            } else {
                // It was missing when the state was archived, too.
                tracing::warn!(key = %lease.key(), blob = %id, "a blob is not archived");
            }
        }
        Ok(())
    }
}

/// What was not taken along.
#[derive(Default)]
pub(super) struct NotTaken {
    /// Blobs that were missing already.
    pub(super) missing: BTreeSet<BlobId>,
    /// The keys that have a damaged one, which stays where it is.
    pub(super) damaged: HashSet<StateKey>,
}

/// Takes along the blobs that entries name: each is read back before anything is removed.
pub(super) async fn take_along(
    place: &Place,
    backend: &dyn StateBackend,
    entries: &[Entry],
) -> Result<NotTaken, Error> {
    let failed = |problem| Error::backend(None, &place.location(), "archive", problem);
    let mut not_taken = NotTaken::default();
    for entry in entries {
        let key = &entry.id.key;
        for id in entry.blob_ids().map_err(failed)? {
            if read(place, id).await.ok().flatten().is_some() {
                continue;
            }
            match stored(backend, key, id).await {
                Ok(Some(bytes)) => {
                    write(place, id, bytes).await.map_err(failed)?;
                    // Another key had it.
                    not_taken.missing.remove(&id);
                }
                Ok(None) => {
                    tracing::warn!(%key, blob = %id, "a blob was missing already");
                    not_taken.missing.insert(id);
                }
                Err(error @ Error::Corrupt { .. }) => {
                    tracing::warn!(%key, %error, "what names it is not archived");
                    not_taken.damaged.insert(key.clone());
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(not_taken)
}

async fn write(place: &Place, id: BlobId, bytes: Bytes) -> Result<(), Problem> {
    place.write_blob(id, bytes).await?;
    if read(place, id).await?.is_none() {
        return Err(Problem::NotTheSame);
    }
    Ok(())
}

async fn stored(
    backend: &dyn StateBackend,
    key: &StateKey,
    id: BlobId,
) -> Result<Option<Bytes>, Error> {
    match backend.blobs() {
        Some(blobs) => blobs.load_blob(key, id).await,
        None => Ok(None),
    }
}

/// A blob that is what its name says.
pub(super) async fn read(place: &Place, id: BlobId) -> Result<Option<Bytes>, Problem> {
    let Some(bytes) = place.read_blob(id).await? else { return Ok(None) };
    let content = bytes.clone();
    let is_its = spawn_blocking(move || BlobId::of(&content) == id);
    if is_its.await.map_err(|_| Problem::Stopped)? {
        Ok(Some(bytes))
    } else {
        Err(Problem::Damaged("a blob is not what its name says"))
    }
}
