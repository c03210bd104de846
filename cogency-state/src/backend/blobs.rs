//! What a backend offers that keeps blobs.

use async_trait::async_trait;
use bytes::Bytes;

use super::Lease;
use super::off_thread::off_thread;
use crate::blob::BlobId;
use crate::error::Error;
use crate::key::StateKey;

/// The [blobs](crate::Blob) beside the states that a backend keeps.
///
/// A blob belongs to the key that it is stored under. Which ones are needed is for the manager to
/// say: it stores those that a state names before it saves the state, and removes those that
/// nothing names any more.
///
/// # The rules
/// - **Durable:** when a save of a blob returns `Ok` it is as durable as a record is, so that a
///   record that names it may be saved next.
/// - **Once:** what is stored already is not written again; to save it is no error.
/// - **Fenced:** under a lease that was released or taken over nothing is stored or removed, with
///   [`Error::LeaseLost`]. A record's rules are these.
/// - **Checked:** a load gives the bytes that were saved, or says that they are damaged.
/// - **Expiring:** where records expire, the blobs of one that has expired go too, at that time or
///   later; those of one that is saved again stay.
/// - Setting aside, deleting and restoring a record leave its blobs where they are.
#[async_trait]
pub trait BlobBackend: Send + Sync {
    /// Stores a blob under the lease's key, unless it is there. `id` is that of the bytes.
    async fn save_blob(&self, lease: &Lease, id: BlobId, bytes: &Bytes) -> Result<(), Error>;

    /// The bytes of a blob; `None` if it is not there.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if what is there has another hash.
    async fn load_blob(&self, key: &StateKey, id: BlobId) -> Result<Option<Bytes>, Error>;

    /// The blobs of a key, in no order.
    async fn list_blobs(&self, key: &StateKey) -> Result<Vec<BlobId>, Error>;

    /// Whether all that is kept of a key can be read: what cannot may name any of its blobs. It is
    /// asked before blobs are removed that nothing names, and for a backend to answer whose
    /// `list_history` or `list_aside` leave out what they cannot read.
    ///
    /// # Errors
    /// What cannot be read.
    async fn check_readable(&self, _key: &StateKey) -> Result<(), Error> {
        Ok(())
    }

    /// Removes blobs of the lease's key. Not an error for those that are not there.
    async fn remove_blobs(&self, lease: &Lease, ids: &[BlobId]) -> Result<(), Error>;
}

/// A larger blob is hashed where that holds nobody up.
const MAX_INLINE_BYTES: usize = 256 << 10;

/// The bytes that were loaded, if they are those of the blob.
pub(super) async fn checked(
    key: &StateKey,
    location: &str,
    id: BlobId,
    bytes: Bytes,
) -> Result<Bytes, Error> {
    let is_its = if bytes.len() <= MAX_INLINE_BYTES {
        BlobId::of(&bytes) == id
    } else {
        let bytes = bytes.clone();
        off_thread(move || BlobId::of(&bytes) == id).await
    };
    if is_its { Ok(bytes) } else { Err(damaged(key, location, id)) }
}

/// That what is stored is not the blob.
pub(super) fn damaged(key: &StateKey, location: &str, id: BlobId) -> Error {
    Error::corrupt(key, location, format!("its blob {id} is not what was stored"))
}
