//! Blobs in memory.

use async_trait::async_trait;
use bytes::Bytes;

use super::MemoryBackend;
use crate::backend::{BlobBackend, Lease};
use crate::blob::BlobId;
use crate::error::Error;
use crate::key::StateKey;

#[async_trait]
impl BlobBackend for MemoryBackend {
    async fn save_blob(&self, lease: &Lease, id: BlobId, bytes: &Bytes) -> Result<(), Error> {
        self.shared.fenced(lease, |fenced| {
            fenced.blobs().entry(id).or_insert_with(|| bytes.clone());
            Ok(())
        })
    }

    async fn load_blob(&self, key: &StateKey, id: BlobId) -> Result<Option<Bytes>, Error> {
        Ok(self.shared.lock().blobs(key).and_then(|blobs| blobs.get(&id).cloned()))
    }

    async fn list_blobs(&self, key: &StateKey) -> Result<Vec<BlobId>, Error> {
        let mut slots = self.shared.lock();
        Ok(slots.blobs(key).map(|blobs| blobs.keys().copied().collect()).unwrap_or_default())
    }

    async fn remove_blobs(&self, lease: &Lease, ids: &[BlobId]) -> Result<(), Error> {
        self.shared.fenced(lease, |fenced| {
            let blobs = fenced.blobs();
            blobs.retain(|id, _| !ids.contains(id));
            Ok(())
        })
    }
}
