//! The folder that all records are in, and the work on it: plain blocking code.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::held::Held;
use super::journal::JOURNAL;
use super::known::Known;
use super::refresh::Behind;
use super::state_file::STATE_FILE;
use super::stored::Stored;
use super::{aside_files, blobs};
use crate::disk::folder::{self, Folder, Identity};
use crate::disk::lock::{Attempt, LOCK_FILE, Lock};
use crate::disk::names;
use crate::error::Error;
use crate::history::Retention;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::record::Record;

/// The same path for each way in which a folder may be spelled: as much of it as is there is
/// followed to its end.
fn without_links(path: &Path) -> PathBuf {
    let followed = path.ancestors().find_map(|above| {
        let real = above.canonicalize().ok()?;
        let rest = path.strip_prefix(above).ok()?;
        // Joined with an empty rest it would end in a slash.
        Some(real.components().chain(rest.components()).collect())
    });
    followed.unwrap_or_else(|| path.to_owned())
}

/// Enough to undo what went wrong, and no more than some times the state.
const DEFAULT_RETENTION: Retention = Retention::Versions(100);

/// How often a folder may vanish between being made and being locked. Each time, another process
/// gave the key back in just that moment.
const MAX_VANISHED: usize = 1000;

#[derive(Debug)]
pub(super) struct Root {
    /// Where the user put it: links on the way are followed, those of today once and for all.
    base: PathBuf,
    /// The names of the folders that lead on from there: ours, so no links.
    below: Vec<String>,
    pub(super) location: String,
    /// How much of each history stays.
    pub(super) retention: Retention,
    /// The folder that is known to survive a power cut, with those that lead to it.
    synced: Mutex<Option<Identity>>,
    pub(super) known: Known,
    pub(super) behind: Behind,
}

/// The folder of a key, and those above it.
pub(super) struct KeyFolder {
    pub(super) root: Folder,
    pub(super) user: Folder,
    pub(super) own: Folder,
}

impl Root {
    pub(super) fn new(path: &Path) -> Self {
        // Only an empty path has no absolute form; opening it fails with a clear error.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self::at(without_links(&path), Vec::new(), DEFAULT_RETENTION)
    }

    /// A root further down.
    pub(super) fn below<const N: usize>(&self, names: [String; N]) -> Self {
        let below = self.below.iter().cloned().chain(names).collect();
        Self::at(self.base.clone(), below, self.retention)
    }

    /// The same root, where so much of each history stays.
    pub(super) fn keeping(&self, retention: Retention) -> Self {
        Self::at(self.base.clone(), self.below.clone(), retention)
    }

    fn at(base: PathBuf, below: Vec<String>, retention: Retention) -> Self {
        let mut root = Self {
            base,
            below,
            location: String::new(),
            retention,
            synced: Mutex::new(None),
            known: Known::default(),
            behind: Behind::default(),
        };
        root.location = match root.path().to_str() {
            Some(path) => format!("file:{path}"),
            // Escaped: two folders must not have the same.
            None => format!("file:{}", root.path().as_os_str().as_encoded_bytes().escape_ascii()),
        };
        root
    }

    fn path(&self) -> PathBuf {
        self.base.iter().chain(self.below.iter().map(OsStr::new)).collect()
    }

    pub(super) fn open(&self) -> io::Result<Option<Folder>> {
        let mut folder = Folder::open(&self.base)?;
        for name in &self.below {
            let Some(above) = folder else { return Ok(None) };
            folder = above.open_folder(name)?;
        }
        Ok(folder)
    }

    /// `None` if a folder is removed at the same time.
    fn create(&self) -> io::Result<Option<Folder>> {
        let mut folder = Folder::create(&self.base)?;
        for name in &self.below {
            let Some(next) = folder.create_folder(name)? else { return Ok(None) };
            folder = next;
        }
        Ok(Some(folder))
    }

    /// Tries once to lock a key.
    pub(super) fn acquire(
        self: &Arc<Self>,
        key: &StateKey,
        holder: &Holder,
    ) -> Result<Result<Held, Holder>, Error> {
        Ok(self.acquire_folder(key, holder)?.map(|(held, _)| held))
    }

    /// Tries once to lock a key, and loads what is stored if that succeeds.
    pub(super) fn acquire_and_load(
        self: &Arc<Self>,
        key: &StateKey,
        holder: &Holder,
    ) -> Result<Result<(Held, Option<Record>), Holder>, Error> {
        let (held, folder) = match self.acquire_folder(key, holder)? {
            Ok(locked) => locked,
            Err(holder) => return Ok(Err(holder)),
        };
        let stored = self.stored(key, &folder)?;
        if stored.is_over(held.since()) {
            self.remove_over(key, &folder);
            return Ok(Ok((held, None)));
        }
        if let Stored::Journal(standing) = &stored {
            held.inner().seen = Some((**standing).clone());
        }
        let record = stored.record_at(held.since());
        Ok(Ok((held, record)))
    }

    pub(super) fn acquire_folder(
        self: &Arc<Self>,
        key: &StateKey,
        holder: &Holder,
    ) -> Result<Result<(Held, Folder), Holder>, Error> {
        let failed = |error| self.error(Some(key), "lock", error);
        for _ in 0..MAX_VANISHED {
            let Some(folder) = self.create_folder_of(key).map_err(failed)? else { continue };
            match Lock::try_acquire(&folder, holder).map_err(failed)? {
                Attempt::Gone => {}
                Attempt::Held(holder) => return Ok(Err(holder)),
                Attempt::Locked(lock) => {
                    // What the last holder wrote to say that it is at work, or done, a power cut
                    // may lose where its half-written file stays. This run has seen no power cut.
                    if lock.may_have_died {
                        self.after_a_death(key, &folder).map_err(failed)?;
                    }
                    return Ok(Ok((Held::new(self, key, lock), folder)));
                }
            }
        }
        Err(failed(io::Error::other("its folder is removed over and over again")))
    }

    pub(super) fn load(&self, key: &StateKey) -> Result<Option<Record>, Error> {
        let failed = |error| self.error(Some(key), "load", error);
        let Some(folder) = self.folder_of(key).map_err(failed)? else { return Ok(None) };
        Ok(self.stored(key, &folder.own)?.record_at(SystemTime::now()))
    }

    /// Whether the lease is still the newest one on its key.
    pub(super) fn check(&self, held: &Held, token: u64) -> Result<(), Error> {
        self.folder_if_newest(held.key(), token, held.inner().lock.as_ref()).map(|_| ())
    }

    pub(super) fn folder_of(&self, key: &StateKey) -> io::Result<Option<KeyFolder>> {
        let Some(root) = self.open()? else { return Ok(None) };
        let Some(user) = root.open_folder(&names::folder_name(key.user_id()))? else {
            return Ok(None);
        };
        let own = user.open_folder(&names::folder_name(key.session_id()))?;
        Ok(own.map(|own| KeyFolder { root, user, own }))
    }

    fn create_folder_of(&self, key: &StateKey) -> io::Result<Option<Folder>> {
        let Some(root) = self.create()? else { return Ok(None) };
        let Some(user) = root.create_folder(&names::folder_name(key.user_id()))? else {
            return Ok(None);
        };
        user.create_folder(&names::folder_name(key.session_id()))
    }

    /// The folder of a key, unless its lease went to somebody else or its lock file is not the
    /// one that is there now.
    pub(super) fn folder_if_newest(
        &self,
        key: &StateKey,
        token: u64,
        lock: Option<&Lock>,
    ) -> Result<KeyFolder, Error> {
        let failed = |error| self.error(Some(key), "look after the lock of", error);
        if let Some(lock) = lock.filter(|lock| lock.token == token)
            && let Some(folder) = self.folder_of(key).map_err(failed)?
            && lock.is_newest(&folder.own).map_err(failed)?
        {
            return Ok(folder);
        }
        Err(Error::lease_lost(key, &self.location, token))
    }

    /// Makes the folders of a key survive a power cut, before there is a record in them that has
    /// to: whoever finds a record need not sync the folders that lead to it.
    pub(super) fn sync_folders(&self, folder: &KeyFolder) -> io::Result<()> {
        folder.user.sync()?;
        folder.root.sync()?;
        let root = Some(folder.root.identity()?);
        if *self.synced.lock().unwrap_or_else(PoisonError::into_inner) == root {
            return Ok(());
        }
        folder::sync_above(&self.path())?;
        *self.synced.lock().unwrap_or_else(PoisonError::into_inner) = root;
        Ok(())
    }

    /// Leaves nothing behind where there is no record. Only for the holder of the lock.
    pub(super) fn clean_up(&self, key: &StateKey, lock: &Lock) -> io::Result<()> {
        let Some(folder) = self.folder_of(key)? else { return Ok(()) };
        for name in [JOURNAL, STATE_FILE] {
            if folder.own.stat(name)?.is_some() {
                return Ok(());
            }
        }
        if !lock.is_newest(&folder.own)? {
            return Ok(());
        }
        // Stored for a save that never came.
        if !aside_files::has_any(&folder.own)? {
            blobs::remove_all(&folder.own)?;
        }
        folder.own.remove_file(LOCK_FILE)?;
        // What was set aside may be in it.
        let _ = folder.user.remove_empty_folder(&names::folder_name(key.session_id()));
        // Other sessions of the user may be in it.
        let _ = folder.root.remove_empty_folder(&names::folder_name(key.user_id()));
        Ok(())
    }

    pub(super) fn error(
        &self,
        key: Option<&StateKey>,
        operation: &'static str,
        source: io::Error,
    ) -> Error {
        Error::backend(key, &self.location, operation, source)
    }
}
