//! Where the spool's files are: plain blocking code.
//!
//! ```text
//! .cogency/spool/                        directories 0700, files 0600
//!   redis%3a%2f%2f10%2e0%2e0%2e7.../     one for each location
//!     alice/default/                     one for each key
//!       lock                             who is at work on the key here
//!       pending/                         what is to be replayed, in order; gone when it was
//!         0000000001.<write id>.json
//!       conflicts/                       where both sides moved on
//!       damaged/                         what cannot be read
//! ```

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::locked::Locked;
use super::name::EntryName;
use crate::disk::folder::{Folder, Identity, sync_above};
use crate::disk::lock::{Attempt, Lock};
use crate::disk::names;
use crate::holder::Holder;
use crate::key::StateKey;

/// How often a key's folder may vanish between being made and being locked.
const MAX_VANISHED: usize = 1000;

/// What became of a save in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Pending,
    Conflict,
    Damaged,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Pending, Self::Conflict, Self::Damaged];

    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Conflict => "conflicts",
            Self::Damaged => "damaged",
        }
    }
}

/// An entry that has its name.
#[derive(Debug)]
pub(crate) enum Appended {
    /// For good.
    Surely,
    /// A power cut may take it back.
    Perhaps(io::Error),
}

/// The folder of one location.
#[derive(Debug)]
pub(super) struct Place {
    base: PathBuf,
    name: String,
    /// The folder that is known to survive a power cut, with those that lead to it.
    synced: Mutex<Option<Identity>>,
}

/// The folder of a key, and those above it.
#[derive(Debug)]
pub(super) struct KeyFolder {
    pub(super) location: Folder,
    pub(super) user: Folder,
    pub(super) own: Folder,
}

/// A file as a listing shows it.
#[derive(Debug)]
pub(super) struct SpoolFile {
    pub(super) kind: Kind,
    pub(super) name: EntryName,
    pub(super) bytes: u64,
    /// When it was last written to.
    pub(super) since: SystemTime,
    /// Whose it is by its folder; `None` where that is a hash.
    pub(super) key: Option<StateKey>,
    folders: (String, String),
}

impl SpoolFile {
    /// Below the folder of the location.
    pub(super) fn path(&self) -> PathBuf {
        let (user, own) = &self.folders;
        [user.as_str(), own, self.kind.folder(), &self.name.file()].iter().collect()
    }
}

impl Place {
    pub(super) fn new(base: &Path, location: &str) -> Self {
        // Only an empty path has no absolute form; opening it fails with a clear error.
        let base = std::path::absolute(base).unwrap_or_else(|_| base.to_owned());
        Self { base, name: names::folder_name(location), synced: Mutex::new(None) }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.base.join(&self.name)
    }

    /// Whether something of a key is to be replayed. One look at names, which the system has in
    /// memory: fit for a thread of the runtime's.
    pub(super) fn has_pending(&self, key: &StateKey) -> bool {
        let mut path = self.path();
        path.extend(folder_names(key));
        path.push(Kind::Pending.folder());
        path.symlink_metadata().is_ok()
    }

    /// Tries once to lock a key, whose folder is made for that.
    pub(super) fn lock(
        &self,
        key: &StateKey,
        holder: &Holder,
    ) -> io::Result<Result<Locked, Holder>> {
        for _ in 0..MAX_VANISHED {
            let Some(folder) = self.create(key)? else { continue };
            match Lock::try_acquire(&folder.own, holder)? {
                Attempt::Gone => {}
                Attempt::Held(holder) => return Ok(Err(holder)),
                Attempt::Locked(lock) => {
                    return Ok(Ok(Locked { key: key.clone(), folder, _lock: lock }));
                }
            }
        }
        Err(io::Error::other("its folder is removed over and over again"))
    }

    /// Appends an entry to those of a key. When it returns `Ok` the entry survives a power cut: its
    /// file is on the disk before it gets its name, and what leads to it before that.
    ///
    /// Not only for the holder of the lock: a call that had a lease must not wait for one that
    /// goes on without. Whoever cleans up at the same time makes it begin again.
    pub(super) fn append(
        &self,
        key: &StateKey,
        name: &EntryName,
        text: &[u8],
    ) -> io::Result<Appended> {
        for _ in 0..MAX_VANISHED {
            let Some(folder) = self.create(key)? else { continue };
            match self.append_in(&folder, name, text) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                appended => return appended,
            }
        }
        Err(io::Error::other("its folder is removed over and over again"))
    }

    fn append_in(&self, folder: &KeyFolder, name: &EntryName, text: &[u8]) -> io::Result<Appended> {
        let Some(pending) = folder.own.create_folder(Kind::Pending.folder())? else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if entry_names(&pending)?.is_empty() {
            self.sync(folder)?;
        }
        let (name, temp) = (name.behind(last(&folder.own)?), name.temp());
        let written =
            write_new(&pending, &temp, text).and_then(|()| pending.rename(&temp, &name.file()));
        if written.is_err() {
            // What failed is the save. A file that cannot be removed either is swept later.
            let _ = pending.remove_file(&temp);
        }
        written.map(|()| pending.sync().map_or_else(Appended::Perhaps, |()| Appended::Surely))
    }

    /// The newest entry of a key that is to be replayed, as its text.
    pub(super) fn newest(&self, key: &StateKey) -> io::Result<Option<Bytes>> {
        let [user_name, own_name] = folder_names(key);
        let mut folder = self.open()?;
        for name in [user_name.as_str(), &own_name, Kind::Pending.folder()] {
            let Some(above) = folder else { return Ok(None) };
            folder = above.open_folder(name)?;
        }
        let Some(pending) = folder else { return Ok(None) };
        match entry_names(&pending)?.last() {
            Some(newest) => read(&pending, newest),
            None => Ok(None),
        }
    }

    fn create(&self, key: &StateKey) -> io::Result<Option<KeyFolder>> {
        let [user_name, own_name] = folder_names(key);
        let base = Folder::create(&self.base)?;
        let Some(location) = base.create_folder(&self.name)? else { return Ok(None) };
        let Some(user) = location.create_folder(&user_name)? else { return Ok(None) };
        let Some(own) = user.create_folder(&own_name)? else { return Ok(None) };
        Ok(Some(KeyFolder { location, user, own }))
    }

    fn open(&self) -> io::Result<Option<Folder>> {
        match Folder::open(&self.base)? {
            Some(base) => base.open_folder(&self.name),
            None => Ok(None),
        }
    }

    /// All that is in the spool, in order.
    pub(super) fn list(&self) -> io::Result<Vec<SpoolFile>> {
        let mut found = Vec::new();
        let Some(location) = self.open()? else { return Ok(found) };
        for user_name in location.names()? {
            let Some(user) = location.open_if_folder(&user_name)? else { continue };
            for own_name in user.names()? {
                let Some(own) = user.open_if_folder(&own_name)? else { continue };
                list_key(&own, &(user_name.clone(), own_name), &mut found)?;
            }
        }
        found.sort_by(|a, b| (&a.folders, a.kind, &a.name).cmp(&(&b.folders, b.kind, &b.name)));
        Ok(found)
    }

    /// All of one key.
    pub(super) fn list_of(&self, key: &StateKey) -> io::Result<Vec<SpoolFile>> {
        let mut found = Vec::new();
        let [user_name, own_name] = folder_names(key);
        let Some(location) = self.open()? else { return Ok(found) };
        let Some(user) = location.open_folder(&user_name)? else { return Ok(found) };
        let Some(own) = user.open_folder(&own_name)? else { return Ok(found) };
        list_key(&own, &(user_name, own_name), &mut found)?;
        Ok(found)
    }

    /// The text of a file that was listed; `None` if it is gone since.
    pub(super) fn read(&self, found: &SpoolFile) -> io::Result<Option<Bytes>> {
        let (user, own) = &found.folders;
        let names = [user.as_str(), own.as_str(), found.kind.folder()];
        let mut folder = self.open()?;
        for name in names {
            let Some(above) = folder else { return Ok(None) };
            folder = above.open_folder(name)?;
        }
        folder.map_or(Ok(None), |folder| read(&folder, &found.name))
    }

    /// Makes the folders of a key survive a power cut, before there is an entry that has to.
    fn sync(&self, folder: &KeyFolder) -> io::Result<()> {
        folder.own.sync()?;
        folder.user.sync()?;
        folder.location.sync()?;
        let identity = Some(folder.location.identity()?);
        if *self.synced.lock().unwrap_or_else(PoisonError::into_inner) != identity {
            sync_above(&self.path())?;
            *self.synced.lock().unwrap_or_else(PoisonError::into_inner) = identity;
        }
        Ok(())
    }
}

pub(super) fn folder_names(key: &StateKey) -> [String; 2] {
    [names::folder_name(key.user_id()), names::folder_name(key.session_id())]
}

/// The greatest number that an entry of a key has.
fn last(own: &Folder) -> io::Result<u64> {
    let mut last = 0;
    for kind in Kind::ALL {
        let Some(folder) = own.open_folder(kind.folder())? else { continue };
        last = last.max(entry_names(&folder)?.last().map_or(0, EntryName::number));
    }
    Ok(last)
}

fn list_key(
    own: &Folder,
    folders: &(String, String),
    found: &mut Vec<SpoolFile>,
) -> io::Result<()> {
    let ids = (names::id_of(&folders.0), names::id_of(&folders.1));
    let key = match ids {
        (Some(user), Some(session)) => StateKey::new(user, session).ok(),
        _ => None,
    };
    for kind in Kind::ALL {
        let Some(folder) = own.open_if_folder(kind.folder())? else { continue };
        for name in entry_names(&folder)? {
            // Gone since: replayed.
            let Some(stat) = folder.stat(&name.file())? else { continue };
            let bytes = u64::try_from(stat.st_size).unwrap_or(0);
            let since = std::time::Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
            let (since, key, folders) = (UNIX_EPOCH + since, key.clone(), folders.clone());
            found.push(SpoolFile { kind, name, bytes, since, key, folders });
        }
    }
    Ok(())
}

/// In order, and without what is no entry.
pub(super) fn entry_names(folder: &Folder) -> io::Result<Vec<EntryName>> {
    let mut names: Vec<_> =
        folder.names()?.iter().filter_map(|name| EntryName::parse(name)).collect();
    names.sort_unstable();
    Ok(names)
}

pub(super) fn read(folder: &Folder, name: &EntryName) -> io::Result<Option<Bytes>> {
    let Some(mut file) = folder.open_file(&name.file())? else { return Ok(None) };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("an entry of the spool is not a regular file"));
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(Some(text.into()))
}

pub(super) fn write_new(folder: &Folder, name: &str, text: &[u8]) -> io::Result<()> {
    // What an earlier try of this same save left.
    folder.remove_file(name)?;
    let mut file = folder.create_new_file(name)?;
    file.write_all(text)?;
    file.sync_data()
}
