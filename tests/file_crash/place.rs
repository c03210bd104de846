//! Where a test keeps its records.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cogency_state::{Error, FileBackend, StateKey, StateManager};
use cogency_state_tests::page::Page;
use tempfile::TempDir;

/// A folder of one test's own.
pub(crate) struct Place {
    temp: TempDir,
    pub(crate) root: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let temp = TempDir::new().unwrap();
        let root = temp.path().join("state");
        Self { temp, root }
    }

    /// A folder around the root, for what must not be touched.
    pub(crate) fn outside(&self) -> &Path {
        self.temp.path()
    }

    pub(crate) fn manager(&self) -> StateManager {
        manager(&self.root)
    }

    /// The folder of a user's default session, for ids that are their own names.
    pub(crate) fn folder(&self, user: &str) -> PathBuf {
        self.root.join(user).join("default")
    }

    /// The copy of a record for readers, or the record itself where there is no journal.
    pub(crate) fn file(&self, user: &str) -> PathBuf {
        self.folder(user).join("state.json")
    }

    pub(crate) fn journal(&self, user: &str) -> PathBuf {
        self.folder(user).join("journal.jsonl")
    }

    /// Makes of what is under a key what earlier versions of the library left: a document alone.
    pub(crate) async fn without_journal(&self, user: &str) {
        FileBackend::new(&self.root).write_copy(&key(user)).await.unwrap();
        fs::remove_file(self.journal(user)).unwrap();
    }
}

/// A manager that reads every state anew and does not wait long.
pub(crate) fn manager(root: &Path) -> StateManager {
    let wait = Duration::from_secs(2);
    StateManager::builder(FileBackend::new(root)).wait(wait).warm_bytes(0).build()
}

pub(crate) fn key(user: &str) -> StateKey {
    StateKey::for_user(user).unwrap()
}

/// One call, which turns the page.
pub(crate) async fn turn(manager: &StateManager, user: &str) -> Result<u64, Error> {
    let mut call = manager.begin::<Page>(&key(user)).await?;
    assert!(call.state.is_whole());
    call.state.turn();
    let number = call.state.number;
    call.commit().await?;
    Ok(number)
}

/// The number of the page that is stored; 0 for none.
pub(crate) async fn number(manager: &StateManager, user: &str) -> Result<u64, Error> {
    let Some(loaded) = manager.load_state::<Page>(&key(user)).await? else { return Ok(0) };
    assert!(loaded.state.is_whole());
    Ok(loaded.state.number)
}

/// The names in a folder, in order; none where there is no folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

/// Runs async code of a test that is mostly about processes.
pub(crate) fn block_on<R>(work: impl Future<Output = R>) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(work)
}

/// What went wrong with a file, where an error comes from that.
pub(crate) fn io_kind(error: &Error) -> Option<io::ErrorKind> {
    let Error::Backend { source, .. } = error else { return None };
    source.downcast_ref::<io::Error>().map(io::Error::kind)
}

/// The names in the folder of a key, but for the copy, which comes a moment later.
pub(crate) fn names_but_copy(folder: &Path) -> Vec<String> {
    let mut names = names(folder);
    names.retain(|name| name != "state.json");
    names
}
