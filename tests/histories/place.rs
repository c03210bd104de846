//! Where a world keeps its keys, and what a crash leaves there.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use cogency_state::{DatabaseBackend, FileBackend, Retention, StateBackend, StateKey, WriteId};
use cogency_state_tests::database::SqliteFile;
use tempfile::TempDir;

use crate::step::Crash;

/// In a database some states stand in their rows, and some are apart.
pub(crate) const WHOLE_UP_TO: usize = 20;

/// A backend that is opened once more after a crash, as by the next process.
pub(crate) trait Place {
    fn open(&self) -> Arc<dyn StateBackend>;

    /// Leaves what a process that died may leave of a key, beside what it acknowledged.
    fn crash(&self, _key: &StateKey, _crash: &Crash) {}

    /// No key of this user is needed any more.
    fn forget(&self, _user: &str) {}
}

/// What a clone shares with its original is all that there is.
impl<B: StateBackend + Clone> Place for B {
    fn open(&self) -> Arc<dyn StateBackend> {
        Arc::new(self.clone())
    }
}

/// Files, which each opening reads anew.
pub(crate) struct Files {
    folder: TempDir,
    stays: Retention,
}

impl Files {
    pub(crate) fn new(stays: Retention) -> Self {
        Self { folder: TempDir::new().unwrap(), stays }
    }

    fn folder_of(&self, key: &StateKey) -> PathBuf {
        self.folder.path().join(key.user_id()).join(key.session_id())
    }
}

impl Place for Files {
    fn open(&self) -> Arc<dyn StateBackend> {
        Arc::new(FileBackend::new(self.folder.path()).with_history(self.stays))
    }

    fn crash(&self, key: &StateKey, crash: &Crash) {
        let folder = self.folder_of(key);
        let (path, copy) = (folder.join("journal.jsonl"), folder.join("state.json"));
        let Ok(mut journal) = fs::read(&path) else { return };
        let begun = journal[..journal.len() - 1].iter().rposition(|byte| *byte == b'\n');
        let last = journal[begun.map_or(0, |before| before + 1)..].to_vec();
        match crash {
            Crash::Clean => {}
            Crash::Torn { length, zeros } => {
                journal.extend(&last[..length.index(last.len())]);
                journal.resize(journal.len() + usize::from(*zeros), 0);
                fs::write(path, journal).unwrap();
            }
            Crash::Litter { stem, length } => {
                let name = format!("{stem}.{}.tmp", WriteId::generate());
                fs::write(folder.join(name), &last[..length.index(last.len())]).unwrap();
            }
            Crash::CopyLost => drop(fs::remove_file(copy)),
            Crash::CopyEmpty => fs::write(copy, "").unwrap(),
        }
    }

    fn forget(&self, user: &str) {
        // A copy of a backend that is gone may just be written.
        let _ = fs::remove_dir_all(self.folder.path().join(user));
    }
}

/// A SQLite file, with a pool of its own for each opening.
pub(crate) struct Sqlite {
    file: SqliteFile,
    stays: Retention,
}

impl Sqlite {
    pub(crate) fn new(stays: Retention) -> Self {
        Self { file: SqliteFile::default(), stays }
    }
}

impl Place for Sqlite {
    fn open(&self) -> Arc<dyn StateBackend> {
        let builder = DatabaseBackend::builder(&self.file.url()).whole_up_to(WHOLE_UP_TO);
        let builder = builder.history(self.stays);
        Arc::new(builder.build().unwrap())
    }
}
