//! The folder that all records are in, and the work on it: plain blocking code.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::held::{Held, HeldInner};
use super::state_file::{self, Fingerprint, NotReplaced, STATE_FILE};
use crate::backend::Write;
use crate::disk::folder::{self, Folder, Identity};
use crate::disk::lock::{Attempt, LOCK_FILE, Lock};
use crate::disk::names;
use crate::envelope::{self, Decoded};
use crate::error::Error;
use crate::expires_at::ExpiresAt;
use crate::holder::Holder;
use crate::key::{StateKey, valid_id};
use crate::record::{Record, Revision, version_of};

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
    /// The folder that is known to survive a power cut, with those that lead to it.
    synced: Mutex<Option<Identity>>,
}

/// The folder of a key, and those above it.
pub(super) struct KeyFolder {
    pub(super) root: Folder,
    pub(super) user: Folder,
    pub(super) own: Folder,
}

/// A record, and what its file says beside it.
pub(super) struct Found {
    record: Record,
    expires_at: Option<ExpiresAt>,
    fingerprint: Fingerprint,
}

impl Found {
    /// Whether it had expired at a moment.
    pub(super) fn is_over(&self, moment: SystemTime) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at.is_over(moment))
    }
}

impl Root {
    pub(super) fn new(path: &Path) -> Self {
        // Only an empty path has no absolute form; opening it fails with a clear error.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self::at(without_links(&path), Vec::new())
    }

    /// A root further down.
    pub(super) fn below<const N: usize>(&self, names: [String; N]) -> Self {
        Self::at(self.base.clone(), self.below.iter().cloned().chain(names).collect())
    }

    fn at(base: PathBuf, below: Vec<String>) -> Self {
        let mut root = Self { base, below, location: String::new(), synced: Mutex::new(None) };
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
        let Some(found) = self.read(key, &folder)? else { return Ok(Ok((held, None))) };
        if found.is_over(held.since()) {
            self.remove_over(key, &folder);
            return Ok(Ok((held, None)));
        }
        held.inner().seen = Some((found.fingerprint, found.record.revision));
        Ok(Ok((held, Some(found.record))))
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
                        state_file::sweep(&folder).map_err(failed)?;
                    }
                    return Ok(Ok((Held::new(self, key, lock), folder)));
                }
            }
        }
        Err(failed(io::Error::other("its folder is removed over and over again")))
    }

    pub(super) fn load(&self, key: &StateKey) -> Result<Option<Record>, Error> {
        let Some(folder) = self.folder_of(key).map_err(|e| self.error(Some(key), "load", e))?
        else {
            return Ok(None);
        };
        Ok(self.read_at(key, &folder.own, SystemTime::now())?.map(|found| found.record))
    }

    pub(super) fn save(&self, held: &Held, token: u64, write: &Write) -> Result<(), Error> {
        self.replace(held, token, &mut held.inner(), write)
    }

    pub(super) fn save_and_release(
        &self,
        held: &Held,
        token: u64,
        write: &Write,
    ) -> Result<(), Error> {
        let mut inner = held.inner();
        self.replace(held, token, &mut inner, write)?;
        drop(inner.lock.take());
        Ok(())
    }

    fn replace(
        &self,
        held: &Held,
        token: u64,
        inner: &mut HeldInner,
        write: &Write,
    ) -> Result<(), Error> {
        let key = held.key();
        let failed = |error| self.error(Some(key), "save", error);
        let folder = self.folder_if_newest(key, token, inner.lock.as_ref())?;
        let found = self.revision(held, &folder.own, inner.seen)?;
        if !write.may_replace(found) {
            let (expected, found) = (version_of(write.expected), version_of(found));
            return Err(Error::conflict(key, &self.location, expected, found));
        }
        if found.is_none() {
            self.sync_folders(&folder).map_err(failed)?;
        }
        inner.seen = None;
        let expires_at = write.ttl.and_then(ExpiresAt::after);
        state_file::replace(&folder.own, &write.record, expires_at).map_err(|error| match error {
            NotReplaced::Failed(error) => failed(error),
            NotReplaced::Unsure(error) => {
                let write_id = write.record.revision.write_id;
                Error::outcome_unknown(key, &self.location, Some(write_id), error)
            }
        })
    }

    pub(super) fn delete(&self, held: &Held, token: u64) -> Result<bool, Error> {
        let key = held.key();
        let failed = |error| self.error(Some(key), "delete", error);
        let mut inner = held.inner();
        let folder = self.folder_if_newest(key, token, inner.lock.as_ref())?;
        inner.seen = None;
        let was_over = self.is_over(key, &folder.own, held.since());
        let was_there = folder.own.remove_file(STATE_FILE).map_err(failed)? && !was_over;
        // Removed for all to see, but a power cut may bring it back.
        let unsure = |error| Error::outcome_unknown(key, &self.location, None, error);
        folder.own.sync().map_err(unsure)?;
        Ok(was_there)
    }

    /// Whether the lease is still the newest one on its key.
    pub(super) fn check(&self, held: &Held, token: u64) -> Result<(), Error> {
        self.folder_if_newest(held.key(), token, held.inner().lock.as_ref()).map(|_| ())
    }

    pub(super) fn list(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        valid_id("user_id", user_id)?;
        let failed = |error| self.error(None, "list the states of a user", error);
        let Some(root) = self.open().map_err(failed)? else { return Ok(Vec::new()) };
        let user = root.open_folder(&names::folder_name(user_id)).map_err(failed)?;
        let Some(user) = user else { return Ok(Vec::new()) };
        let mut keys = Vec::new();
        for name in user.names().map_err(failed)? {
            keys.extend(self.key_in(&user, user_id, &name).map_err(failed)?);
        }
        keys.sort_unstable();
        Ok(keys)
    }

    /// The key whose record is in this folder of a user, if there is one.
    pub(super) fn key_in(
        &self,
        user: &Folder,
        user_id: &str,
        name: &str,
    ) -> io::Result<Option<StateKey>> {
        let is_shortened = names::is_shortened(name);
        let session_id = names::id_of(name);
        if session_id.is_none() && !is_shortened {
            return Ok(None);
        }
        let Some(folder) = user.open_if_folder(name)? else { return Ok(None) };
        if folder.stat(STATE_FILE)?.is_none() {
            return Ok(None);
        }
        let key = match session_id {
            Some(session_id) => StateKey::new(user_id, session_id).ok(),
            None => self.key_inside(&folder, &names::folder_name(user_id), name)?,
        };
        Ok(key.filter(|key| !self.is_over(key, &folder, SystemTime::now())))
    }

    /// The key of the record in the folder of these names, where they do not tell it.
    pub(super) fn key_inside(
        &self,
        folder: &Folder,
        user_name: &str,
        name: &str,
    ) -> io::Result<Option<StateKey>> {
        let Some((document, _)) = state_file::read(folder)? else { return Ok(None) };
        let key = envelope::peek_key(&document).filter(|key| {
            names::folder_name(key.user_id()) == user_name
                && names::folder_name(key.session_id()) == name
        });
        if key.is_none() {
            tracing::warn!(location = %self.location, name, "a record does not say whose it is");
        }
        Ok(key)
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

    pub(super) fn read(&self, key: &StateKey, own: &Folder) -> Result<Option<Found>, Error> {
        let read = state_file::read(own).map_err(|error| self.error(Some(key), "load", error))?;
        let Some((document, fingerprint)) = read else { return Ok(None) };
        let decoded = envelope::decode(key, &document);
        let Decoded { record, expires_at } =
            decoded.map_err(|unreadable| unreadable.into_error(key, &self.location))?;
        Ok(Some(Found { record, expires_at, fingerprint }))
    }

    /// The same, without what had expired at a moment.
    fn read_at(
        &self,
        key: &StateKey,
        own: &Folder,
        moment: SystemTime,
    ) -> Result<Option<Found>, Error> {
        Ok(self.read(key, own)?.filter(|found| !found.is_over(moment)))
    }

    /// The revision of the record that is there. Reads the record unless it is known: one that
    /// cannot be read is not replaced.
    pub(super) fn revision(
        &self,
        held: &Held,
        own: &Folder,
        seen: Option<(Fingerprint, Revision)>,
    ) -> Result<Option<Revision>, Error> {
        let key = held.key();
        if let Some((seen, revision)) = seen {
            let now = state_file::fingerprint(own)
                .map_err(|error| self.error(Some(key), "look at", error))?;
            if now == Some(seen) {
                return Ok(Some(revision));
            }
        }
        Ok(self.read_at(key, own, held.since())?.map(|found| found.record.revision))
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
        if folder.own.stat(STATE_FILE)?.is_some() || !lock.is_newest(&folder.own)? {
            return Ok(());
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
