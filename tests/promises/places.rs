//! Where the tests keep their states: the list of backends.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cogency_state::{
    FileBackend, Holder, LeaseAttempt, MemoryBackend, Metadata, Record, Revision, StateBackend,
    StateKey, StateManager, StateManagerBuilder, Write,
};
use tempfile::TempDir;

/// A place of one test's own, that several managers can be opened over.
pub(crate) struct Place {
    backend: Box<dyn Fn() -> Arc<dyn StateBackend> + Send + Sync>,
    folder: Option<TempDir>,
}

impl Place {
    pub(crate) fn memory() -> Self {
        let backend = MemoryBackend::new();
        Self { backend: Box::new(move || Arc::new(backend.clone())), folder: None }
    }

    /// Memory with leases that run out, as those of a server do.
    pub(crate) fn memory_with_leases(ttl: Duration) -> Self {
        let backend = MemoryBackend::new().with_lease_ttl(ttl);
        Self { backend: Box::new(move || Arc::new(backend.clone())), folder: None }
    }

    pub(crate) fn file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let backend = Box::new(move || Arc::new(FileBackend::new(&path)) as Arc<dyn StateBackend>);
        Self { backend, folder: Some(folder) }
    }

    /// Another manager over the same records, as another part of the program would have.
    pub(crate) fn manager(&self) -> StateManager {
        self.builder().build()
    }

    pub(crate) fn builder(&self) -> StateManagerBuilder {
        StateManagerBuilder::over((self.backend)())
    }

    /// Where the files are, for what only a file can suffer.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }
}

pub(crate) fn key(user_id: &str) -> StateKey {
    StateKey::for_user(user_id).unwrap()
}

/// Stores a state that no type of ours wrote.
pub(crate) async fn store(manager: &StateManager, user_id: &str, json: String) {
    let (backend, key) = (manager.backend(), key(user_id));
    let lease = match backend.acquire_lease(&key, &Holder::current()).await.unwrap() {
        LeaseAttempt::Acquired(lease) => lease,
        other => panic!("{other:?}"),
    };
    let record = Record::new(key, Revision::after(None), None, Metadata::now(), json.into());
    backend.save_and_release(&lease, &Write::new(record, None)).await.unwrap();
}

/// Runs each test on each backend, on a runtime with two threads.
macro_rules! on_every_backend {
    ($($(#[$meta:meta])* async fn $name:ident($place:ident: Place) $body:block)*) => {
        $( $(#[$meta])* async fn $name($place: crate::places::Place) $body )*

        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() { super::$name(crate::places::Place::memory()).await }
            )*
        }

        mod file {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() { super::$name(crate::places::Place::file()).await }
            )*
        }
    };
}
pub(crate) use on_every_backend;
