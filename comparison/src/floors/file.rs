//! Files: a whole state that replaces the one before, or a log of what changed.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::spawn_blocking;

use super::change::Held;
use super::turned;
use crate::chat::{Chat, Turn};
use crate::contestant::{Outcome, Store};

/// A file that is replaced: temporary file, fdatasync, rename, fsync of the folder.
pub(crate) struct Replaced {
    folder: PathBuf,
    /// Whether each key has a folder of its own.
    apart: bool,
}

impl Replaced {
    pub(crate) fn in_folder(folder: &str, apart: bool) -> Outcome<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.into(), apart })
    }

    fn folder_and_file(&self, key: &str) -> (PathBuf, String) {
        if self.apart {
            (self.folder.join(key), "state.json".into())
        } else {
            (self.folder.clone(), format!("{key}.json"))
        }
    }

    async fn save(&self, key: &str, json: Vec<u8>) -> Outcome<()> {
        let (folder, name) = self.folder_and_file(key);
        Ok(spawn_blocking(move || replace(&folder, &name, &json)).await??)
    }
}

impl Store for Replaced {
    async fn first(&self, key: &str, chat: &Chat) -> Outcome<()> {
        fs::create_dir_all(self.folder_and_file(key).0)?;
        self.save(key, chat.json()).await
    }

    async fn turn(&self, key: &str, turn: Turn) -> Outcome<()> {
        let (folder, name) = self.folder_and_file(key);
        let json = spawn_blocking(move || fs::read(folder.join(name))).await??;
        self.save(key, turned(&json, turn)?).await
    }
}

fn replace(folder: &Path, name: &str, json: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!("{name}.tmp"));
    let mut file = File::create(&temporary)?;
    file.write_all(json)?;
    file.sync_data()?;
    fs::rename(temporary, folder.join(name))?;
    File::open(folder)?.sync_all()
}

/// A file in a folder of its own to which each turn appends what changed, with an fdatasync.
pub(crate) struct Appended {
    folder: PathBuf,
    held: Held,
    files: Mutex<HashMap<String, Arc<File>>>,
}

impl Appended {
    pub(crate) fn in_folder(folder: &str) -> Self {
        Self { folder: folder.into(), held: Held::default(), files: Mutex::default() }
    }
}

impl Store for Appended {
    async fn first(&self, key: &str, chat: &Chat) -> Outcome<()> {
        let folder = self.folder.join(key);
        fs::create_dir_all(&folder)?;
        let json = chat.json();
        let file = File::create(folder.join("changes"))?;
        append(&file, &json)?;
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.insert(key.to_owned(), Arc::new(file));
        self.held.put(key, json);
        Ok(())
    }

    async fn turn(&self, key: &str, turn: Turn) -> Outcome<()> {
        let (new, change) = self.held.turned(key, turn)?;
        let file = self.files.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        let file = file.ok_or("nothing was put there")?;
        spawn_blocking(move || append(&file, &change)).await??;
        self.held.put(key, new);
        Ok(())
    }
}

fn append(mut file: &File, change: &[u8]) -> io::Result<()> {
    file.write_all(change)?;
    file.sync_data()
}
