//! The suite on the file backend.

use std::fs::OpenOptions;
use std::sync::Arc;

use async_trait::async_trait;
use cogency_state::conformance::Harness;
use cogency_state::{FileBackend, StateBackend, StateKey};
use tempfile::TempDir;

struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }
}

#[async_trait]
impl Harness for Files {
    async fn open(&self) -> Arc<dyn StateBackend> {
        Arc::new(FileBackend::new(self.folder.path()))
    }

    async fn restart(&self) -> Arc<dyn StateBackend> {
        self.open().await
    }

    /// Cuts the file in the middle, as a power cut does to a program that does not sync.
    async fn damage(&self, key: &StateKey) -> bool {
        let folder = self.folder.path().join(key.user_id()).join(key.session_id());
        let file = OpenOptions::new().write(true).open(folder.join("state.json")).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        true
    }
}

cogency_state::conformance_tests!(Files::new());
