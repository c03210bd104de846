//! The blobs that archived states and versions name: a file for each, by its hash, however many name
//! it.

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

/// Takes along the blobs that entries name: each is read back before anything is removed.
pub(super) async fn take_along(
    place: &Place,
    backend: &dyn StateBackend,
    entries: &[Entry],
) -> Result<(), Error> {
    let failed = |problem| Error::backend(None, &place.location(), "archive", problem);
    for entry in entries {
        for id in entry.blob_ids().map_err(failed)? {
            if read(place, id).await.ok().flatten().is_some() {
                continue;
            }
            let Some(bytes) = stored(backend, &entry.id.key, id).await? else {
                tracing::warn!(key = %entry.id.key, blob = %id, "a blob was missing already");
                continue;
            };
            place.write_blob(id, bytes).await.map_err(failed)?;
            if read(place, id).await.map_err(failed)?.is_none() {
                return Err(failed(Problem::NotTheSame));
            }
        }
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
