//! What one run of one check works with.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use super::check::{Stop, Verdict};
use super::checks::{aside, blobs};
use super::harness::Harness;
use super::instance::Instance;
use crate::backend::Capabilities;
use crate::key::StateKey;

/// The instance under test, and keys that nobody else uses.
pub(super) struct Trial<'h> {
    pub(super) harness: &'h dyn Harness,
    pub(super) backend: Instance,
    /// The keys that were given out.
    keys: Mutex<Vec<StateKey>>,
}

impl<'h> Trial<'h> {
    pub(super) async fn begin(harness: &'h dyn Harness) -> Self {
        let backend = Instance::new(harness.open().await);
        Self { harness, backend, keys: Mutex::default() }
    }

    /// An id that was never used before.
    pub(super) fn fresh_id() -> String {
        format!("conformance-{}", Uuid::new_v4().simple())
    }

    /// A key that was never used before.
    pub(super) fn key(&self) -> Verdict<StateKey> {
        self.key_of(&Self::fresh_id(), "default")
    }

    /// A key of these ids, one of which has to be fresh.
    pub(super) fn key_of(&self, user_id: &str, session_id: &str) -> Verdict<StateKey> {
        let key = StateKey::new(user_id, session_id)
            .map_err(|error| Stop::unexpected("making a key", &error))?;
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).push(key.clone());
        Ok(key)
    }

    /// A second instance over the same records.
    pub(super) async fn second(&self) -> Instance {
        Instance::new(self.harness.open().await)
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    /// How long a lease lasts, where leases run out.
    pub(super) fn lease_ttl(&self) -> Verdict<Duration> {
        self.capabilities().lease_ttl.ok_or(Stop::NotApplicable("its leases do not run out"))
    }

    /// Makes the record under a key unreadable.
    pub(super) async fn damage(&self, key: &StateKey) -> Verdict {
        if self.harness.damage(key).await {
            return Ok(());
        }
        Err(Stop::NotApplicable("the harness cannot damage a record"))
    }

    /// Deletes what the check left behind, unless somebody holds it.
    pub(super) async fn clean_up(&self) -> Verdict {
        let keys = std::mem::take(&mut *self.keys.lock().unwrap_or_else(PoisonError::into_inner));
        for key in keys {
            if self.capabilities().aside {
                aside::clean_up(&self.backend, &key).await;
            }
            let Ok(lease) = self.backend.acquire(&key).await else { continue };
            // Whatever happens to one key, the others are deleted.
            let _ = self.backend.delete(&lease).await;
            blobs::clean_up(&self.backend, &lease).await;
            let _ = self.backend.release(&lease).await;
        }
        Ok(())
    }
}
