//! What can go wrong with blobs.

use async_trait::async_trait;
use bytes::Bytes;
use cogency_state::{BlobBackend, BlobId, Error, Lease, StateBackend, StateKey};

use super::Broken;
use crate::fault::Fault;

impl Broken {
    fn inner_blobs(&self) -> &dyn BlobBackend {
        self.inner.blobs().unwrap()
    }

    /// The lease, or one that would do.
    fn lease_for(&self, lease: &Lease, fault: Fault) -> Lease {
        if self.has(fault) {
            self.forged(lease.key()).lease
        } else {
            Self::inside(lease).lease.clone()
        }
    }
}

#[async_trait]
impl BlobBackend for Broken {
    async fn save_blob(&self, lease: &Lease, id: BlobId, bytes: &Bytes) -> Result<(), Error> {
        let key = lease.key();
        let is_there = self.inner_blobs().load_blob(key, id).await?.is_some();
        if is_there && self.has(Fault::RefusesRepeatedBlobs) {
            return Err(Error::backend(Some(key), "broken:", "save a blob of", "it is there"));
        }
        let cut = if self.has(Fault::CutsBlobsAt1Mib) { 1 << 20 } else { bytes.len() };
        let bytes = bytes.slice(..cut.min(bytes.len()));
        let lease = self.lease_for(lease, Fault::AnybodySavesBlobs);
        self.inner_blobs().save_blob(&lease, id, &bytes).await
    }

    async fn load_blob(&self, key: &StateKey, id: BlobId) -> Result<Option<Bytes>, Error> {
        let is_damaged = self.notes().damaged_blobs.contains(&id);
        if is_damaged && !self.has(Fault::LoadsDamagedBlobs) {
            return Err(Error::corrupt(key, "broken:", format!("the blob {id} is damaged")));
        }
        self.inner_blobs().load_blob(key, id).await
    }

    async fn list_blobs(&self, key: &StateKey) -> Result<Vec<BlobId>, Error> {
        self.inner_blobs().list_blobs(key).await
    }

    async fn remove_blobs(&self, lease: &Lease, ids: &[BlobId]) -> Result<(), Error> {
        let all = self.list_blobs(lease.key()).await?;
        let ids = if self.has(Fault::RemovesAllBlobs) { &all } else { ids };
        let lease = self.lease_for(lease, Fault::AnybodyRemovesBlobs);
        self.inner_blobs().remove_blobs(&lease, ids).await
    }
}
