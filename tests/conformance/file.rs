//! The suite on the file backend.

use std::fs;
use std::sync::Arc;

use async_trait::async_trait;
use cogency_state::conformance::Harness;
use cogency_state::{BlobId, FileBackend, StateBackend, StateKey};
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

    /// Puts something into the last line of the journal, as a careless hand does.
    async fn damage(&self, key: &StateKey) -> bool {
        let folder = self.folder.path().join(key.user_id()).join(key.session_id());
        let mut journal = fs::read(folder.join("journal.jsonl")).unwrap();
        let last = journal[..journal.len() - 1].iter().rposition(|byte| *byte == b'\n');
        let starts = last.map_or(0, |before| before + 1);
        journal.insert(usize::midpoint(starts, journal.len()), b'x');
        fs::write(folder.join("journal.jsonl"), journal).unwrap();
        true
    }

    /// Flips a bit.
    async fn damage_blob(&self, key: &StateKey, id: BlobId) -> bool {
        let folder = self.folder.path().join(key.user_id()).join(key.session_id());
        let path = folder.join("blobs").join(id.digits());
        let mut bytes = fs::read(&path).unwrap();
        bytes[0] ^= 1;
        fs::write(path, bytes).unwrap();
        true
    }
}

cogency_state::conformance_tests!(Files::new());
