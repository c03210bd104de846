//! A key whose lock in the spool is held: what may be done with its entries.

use std::io;

use bytes::Bytes;

use super::entry::{self, Entry};
use super::name::EntryName;
use super::place::{KeyFolder, Kind, entry_names, folder_names, read, write_new};
use crate::blob::Blob;
use crate::disk::lock::{LOCK_FILE, Lock};
use crate::key::StateKey;

/// A key that is locked in the spool.
#[derive(Debug)]
pub(super) struct Locked {
    pub(super) key: StateKey,
    pub(super) folder: KeyFolder,
    /// Freed last.
    pub(super) _lock: Lock,
}

impl Locked {
    pub(super) fn key(&self) -> &StateKey {
        &self.key
    }

    /// What of the key is there, in order.
    pub(super) fn names(&self, kind: Kind) -> io::Result<Vec<EntryName>> {
        match self.folder.own.open_folder(kind.folder())? {
            Some(folder) => entry_names(&folder),
            None => Ok(Vec::new()),
        }
    }

    pub(super) fn read(&self, kind: Kind, name: &EntryName) -> io::Result<Option<Bytes>> {
        match self.folder.own.open_folder(kind.folder())? {
            Some(folder) => read(&folder, name),
            None => Ok(None),
        }
    }

    /// Notes that an entry is about to be sent: from here on it may be stored.
    pub(super) fn mark_sent(&self, name: &EntryName) -> io::Result<EntryName> {
        let sent = name.clone().sent();
        if let Some(pending) = self.folder.own.open_folder(Kind::Pending.folder())? {
            pending.rename(&name.file(), &sent.file())?;
            pending.sync()?;
        }
        Ok(sent)
    }

    pub(super) fn remove(&self, kind: Kind, name: &EntryName) -> io::Result<bool> {
        match self.folder.own.open_folder(kind.folder())? {
            Some(folder) => folder.remove_file(&name.file()),
            None => Ok(false),
        }
    }

    /// Gives the blobs that an entry brings along to others that name them: their bytes may be
    /// nowhere else.
    pub(super) fn hand_on_blobs(&self, kind: Kind, name: &EntryName) -> io::Result<()> {
        let Some(leaving) = self.entry(kind, name)? else { return Ok(()) };
        let mut blobs = leaving.write.blobs;
        for kind in [Kind::Conflict, Kind::Pending] {
            for heir in self.names(kind)? {
                if blobs.is_empty() {
                    return Ok(());
                }
                if heir.write_id() != name.write_id() {
                    blobs = self.inherit(kind, &heir, blobs)?;
                }
            }
        }
        Ok(())
    }

    /// Adds those that an entry names to its own, and gives the others.
    fn inherit(&self, kind: Kind, name: &EntryName, blobs: Vec<Blob>) -> io::Result<Vec<Blob>> {
        let Some(mut heir) = self.entry(kind, name)? else { return Ok(blobs) };
        let named = heir.write.record.metadata.blob_ids.as_deref().unwrap_or_default();
        let (mut new, others): (Vec<_>, Vec<_>) =
            blobs.into_iter().partition(|blob| named.contains(&blob.id()));
        new.retain(|blob| !heir.write.blobs.contains(blob));
        if !new.is_empty() {
            heir.write.blobs.extend(new);
            self.replace(kind, name, &heir)?;
        }
        Ok(others)
    }

    /// What can be read of an entry.
    fn entry(&self, kind: Kind, name: &EntryName) -> io::Result<Option<Entry>> {
        let text = self.read(kind, name)?;
        Ok(text.and_then(|text| entry::decode(&self.key, &text).ok()))
    }

    fn replace(&self, kind: Kind, name: &EntryName, entry: &Entry) -> io::Result<()> {
        let text = entry::encode_again(entry).map_err(io::Error::other)?;
        let Some(folder) = self.folder.own.open_folder(kind.folder())? else {
            return Err(io::ErrorKind::NotFound.into());
        };
        write_new(&folder, &name.temp(), &text)?;
        folder.rename(&name.temp(), &name.file())?;
        folder.sync()
    }

    /// Keeps an entry that is not to be replayed, under this name from now on.
    pub(super) fn set_aside(
        &self,
        name: &EntryName,
        kind: Kind,
        new_name: &EntryName,
    ) -> io::Result<()> {
        let own = &self.folder.own;
        let (Some(pending), Some(aside)) =
            (own.open_folder(Kind::Pending.folder())?, own.create_folder(kind.folder())?)
        else {
            return Err(io::ErrorKind::NotFound.into());
        };
        own.sync()?;
        pending.move_to(&name.file(), &aside, &new_name.file())?;
        // In this order: a power cut leaves it in one of the two, or in both.
        aside.sync()?;
        pending.sync()
    }

    /// Leaves no empty folders behind.
    fn clean_up(&self) -> io::Result<()> {
        let own = &self.folder.own;
        for kind in Kind::ALL {
            let Some(folder) = own.open_folder(kind.folder())? else { continue };
            for name in folder.names()?.iter().filter(|name| EntryName::is_temp(name)) {
                folder.remove_file(name)?;
            }
            // One that is not empty stays.
            let _ = own.remove_empty_folder(kind.folder());
        }
        if own.names()?.iter().any(|name| name != LOCK_FILE) {
            return Ok(());
        }
        let [user_name, own_name] = folder_names(&self.key);
        own.remove_file(LOCK_FILE)?;
        self.folder.user.remove_empty_folder(&own_name)?;
        // Other sessions of the user may be in it.
        let _ = self.folder.location.remove_empty_folder(&user_name);
        Ok(())
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // What stays behind is an empty folder.
        let _ = self.clean_up();
    }
}
