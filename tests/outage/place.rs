//! A switched server, a spool of the test's own, and agents that keep ledgers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cogency_state::{Error, Outcome, StateKey, StateManager, StateManagerBuilder};
use cogency_state_tests::ledger::{Entry, Ledger};
use cogency_state_tests::switched::Switched;
use tempfile::TempDir;

pub(crate) struct Place {
    pub(crate) server: Switched,
    pub(crate) folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { server: Switched::default(), folder: tempfile::tempdir().unwrap() }
    }

    /// Below which there is nothing until something is spooled.
    pub(crate) fn spool(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    /// A manager of its own, as another process has one.
    pub(crate) fn manager(&self) -> StateManager {
        self.builder().build()
    }

    pub(crate) fn builder(&self) -> StateManagerBuilder {
        StateManager::builder(self.server.clone())
            .spool_dir(self.spool())
            .wait(Duration::from_secs(10))
    }

    /// One that only another program could be: it knows no switch and no spool.
    pub(crate) fn foreign(&self) -> StateManager {
        StateManager::new(self.server.direct())
    }

    /// What is stored.
    pub(crate) async fn stored(&self, user: &str) -> Vec<u64> {
        let loaded = self.foreign().load_state::<Ledger>(&key(user)).await.unwrap();
        numbers(&loaded.map(|loaded| loaded.state).unwrap_or_default())
    }
}

pub(crate) fn key(user: &str) -> StateKey {
    StateKey::for_user(user).unwrap()
}

/// One call: one more entry.
pub(crate) async fn enter(
    manager: &StateManager,
    user: &str,
    number: u64,
) -> Result<Outcome, Error> {
    let mut call = manager.begin::<Ledger>(&key(user)).await?;
    call.state.entries.push(Entry { agent: 0, number });
    call.commit().await
}

pub(crate) fn numbers(ledger: &Ledger) -> Vec<u64> {
    ledger.entries.iter().map(|entry| entry.number).collect()
}

/// Waits until the manager has nothing left to send.
pub(crate) async fn settled(manager: &StateManager) {
    let settling = async {
        while !manager.health().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(60), settling).await;
    assert!(settled.is_ok(), "{:?}", manager.spool().await);
}

/// All files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
