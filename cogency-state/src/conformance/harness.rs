//! What the author of a backend tells the suite.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::backend::StateBackend;
use crate::blob::BlobId;
use crate::key::StateKey;

/// How the suite gets at a backend.
///
/// Every check works on keys of its own, under user ids that begin with `conformance-` or under
/// session ids that do, and deletes them afterwards: the records may be on a server that keeps
/// others too.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Another instance over the same records, as each process has that shares them; a clone
    /// where only the tasks of one process do.
    ///
    /// Where leases have a [`lease_ttl`](crate::Capabilities::lease_ttl) let it be about a second:
    /// some checks wait for leases to run out.
    async fn open(&self) -> Arc<dyn StateBackend>;

    /// What a new process finds once all those that used the instances of
    /// [`open`](Harness::open) have ended: with
    /// [`Durability::Process`](crate::Durability::Process) an instance without records, else one
    /// over the same.
    async fn restart(&self) -> Arc<dyn StateBackend>;

    /// Makes the record under a key unreadable, as a torn disk block or a careless hand would,
    /// and tells whether it did.
    ///
    /// Where it cannot be done (the default), the checks that need it are reported as not
    /// applicable.
    async fn damage(&self, key: &StateKey) -> bool {
        let _ = key;
        false
    }

    /// Makes a blob under a key unreadable, likewise.
    async fn damage_blob(&self, key: &StateKey, id: BlobId) -> bool {
        let _ = (key, id);
        false
    }

    /// How long one check may take before it fails as hanging.
    fn deadline(&self) -> Duration {
        Duration::from_secs(120)
    }
}
