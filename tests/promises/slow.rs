//! A backend whose saves take a while, and which leaves it to the manager to end them.

use std::time::Duration;

use async_trait::async_trait;
use cogency_state::{
    Capabilities, Error, Holder, Lease, LeaseAttempt, MemoryBackend, Record, Sharing, StateBackend,
    StateKey, Write,
};

pub(crate) const A_WHILE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct SlowToSave {
    inner: MemoryBackend,
    /// Whether a save panics in the end.
    pub(crate) panics: bool,
}

impl SlowToSave {
    pub(crate) fn new(panics: bool) -> Self {
        Self { inner: MemoryBackend::new(), panics }
    }
}

#[async_trait]
impl StateBackend for SlowToSave {
    fn location(&self) -> &str {
        self.inner.location()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none().with_sharing(Sharing::Process)
    }

    async fn acquire_lease(&self, key: &StateKey, holder: &Holder) -> Result<LeaseAttempt, Error> {
        self.inner.acquire_lease(key, holder).await
    }

    async fn renew_lease(&self, lease: &Lease) -> Result<(), Error> {
        self.inner.renew_lease(lease).await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), Error> {
        self.inner.release_lease(lease).await
    }

    async fn load_state(&self, key: &StateKey) -> Result<Option<Record>, Error> {
        self.inner.load_state(key).await
    }

    async fn save_state(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        tokio::time::sleep(A_WHILE).await;
        assert!(!self.panics, "on purpose, with a state's contents");
        self.inner.save_state(lease, write).await
    }

    async fn delete_state(&self, lease: &Lease) -> Result<bool, Error> {
        self.inner.delete_state(lease).await
    }

    async fn list_states(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        self.inner.list_states(user_id).await
    }
}
