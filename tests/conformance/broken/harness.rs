//! How the suite gets at a broken backend.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cogency_state::conformance::Harness;
use cogency_state::{BlobId, StateBackend, StateKey};

use super::Broken;
use crate::fault::Fault;

/// Opens the broken backend.
pub(crate) struct BrokenHarness {
    backend: Broken,
    opened: AtomicU64,
    deadline: Duration,
}

impl BrokenHarness {
    pub(crate) fn new(fault: Option<Fault>, ttl: Option<Duration>) -> Self {
        let deadline = match fault {
            Some(Fault::NeverAnswers) => Duration::from_millis(200),
            _ => Duration::from_secs(60),
        };
        Self { backend: Broken::new(fault, ttl), opened: AtomicU64::new(0), deadline }
    }
}

#[async_trait]
impl Harness for BrokenHarness {
    async fn open(&self) -> Arc<dyn StateBackend> {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let mut backend = self.backend.clone();
        if backend.has(Fault::InstancesShareNothing) && number > 0 {
            backend = Broken::new(backend.fault, backend.ttl);
        }
        Arc::new(Broken { number, ..backend })
    }

    async fn restart(&self) -> Arc<dyn StateBackend> {
        if self.backend.has(Fault::SurvivesUnannounced) {
            return self.open().await;
        }
        Arc::new(Broken::new(self.backend.fault, self.backend.ttl))
    }

    async fn damage(&self, key: &StateKey) -> bool {
        self.backend.notes().damaged.insert(key.clone());
        true
    }

    async fn damage_blob(&self, _: &StateKey, id: BlobId) -> bool {
        self.backend.notes().damaged_blobs.insert(id);
        true
    }

    fn deadline(&self) -> Duration {
        self.deadline
    }
}
