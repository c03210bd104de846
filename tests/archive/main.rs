//! Archives: states and old entries of histories leave a database for files, and come back.

// All of this is tests, also what clippy does not take for one.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../redis_crash/agents.rs"]
#[expect(dead_code, reason = "of what it has for Redis not all is needed here")]
mod agents;
mod blobs;
mod contents;
mod damage;
mod histories;
mod history_kills;
mod kills;
mod meanwhile;
#[path = "../database/places.rs"]
#[expect(dead_code, reason = "not all is needed here")]
mod places;
mod s3;
mod s3_server;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cogency_state::archive::{Archive, Report};
use cogency_state::{
    DatabaseBackend, Holder, Metadata, Opened, Record, Revision, StateBackend as _, StateKey,
    StateManager, Write,
};
use tempfile::TempDir;

fn key(user_id: &str, session_id: &str) -> StateKey {
    StateKey::new(user_id, session_id).unwrap()
}

/// Saves over whatever is there.
async fn save(backend: &DatabaseBackend, key: &StateKey, json: &str) -> Record {
    save_for(backend, key, json, None).await
}

async fn save_for(
    backend: &DatabaseBackend,
    key: &StateKey,
    json: &str,
    ttl: Option<Duration>,
) -> Record {
    let opened = backend.acquire_and_load(key, &Holder::current()).await.unwrap();
    let Opened::Acquired { lease, record } = opened else { panic!("{opened:?}") };
    let expected = record.map(|record| record.revision);
    let mut metadata = Metadata::now();
    metadata.custom.insert("tenant".to_owned(), "blue".into());
    let revision = Revision::after(expected);
    let state_type = Some("a::Type".into());
    let record = Record::new(key.clone(), revision, state_type, metadata, json.to_owned().into());
    let write = Write::new(record, expected).with_ttl(ttl);
    backend.save_and_release(&lease, &write).await.unwrap();
    write.record
}

/// An archive in a folder of its own.
struct Place {
    folder: TempDir,
    archive: Archive,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive::in_folder(folder.path().join("archive")).unwrap();
        Self { folder, archive }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("archive")
    }

    /// Its files with such an end, in order.
    fn files(&self, end: &str) -> Vec<PathBuf> {
        files(&self.path(), end)
    }

    /// Moves all states here.
    async fn take_all(&self, backend: &DatabaseBackend) -> Report {
        // A save of this moment is not untouched.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let manager = StateManager::new(backend.clone());
        self.archive.states(&manager, Duration::ZERO).per_file(10).run().await.unwrap()
    }

    /// How often each save is archived: as the files say it, to whoever reads them.
    fn listed(&self) -> HashMap<String, usize> {
        let mut listed = HashMap::new();
        for manifest in self.files(".manifest.json") {
            let manifest = std::fs::read_to_string(manifest).unwrap();
            let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
            for entry in manifest["entries"].as_array().unwrap() {
                *listed.entry(entry["write_id"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        listed
    }
}

fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let all = folder.join("v1").read_dir().unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = all.filter(|path| path.to_str().unwrap().ends_with(end)).collect();
    files.sort();
    files
}
