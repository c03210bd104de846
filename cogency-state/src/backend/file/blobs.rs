//! Blobs, each a file in the folder `blobs` of its key, named by its hash.
//!
//! A blob's file is on the disk, with the name that leads to it, before a line of the journal names
//! it. They are stored and removed under the lease alone.

use std::io::{self, Read as _, Write as _};

use bytes::Bytes;

use super::aside_files;
use super::held::Held;
use super::journal::Damage;
use super::root::{KeyFolder, Root};
use crate::blob::{BlobId, MAX_BLOB_BYTES};
use crate::disk::folder::Folder;
use crate::error::Error;
use crate::key::StateKey;
use crate::record::WriteId;

pub(super) const BLOBS: &str = "blobs";
const TEMP_SUFFIX: &str = ".tmp";

const READ: &str = "read all that is kept of";

impl Root {
    pub(super) fn save_blob(
        &self,
        held: &Held,
        token: u64,
        id: BlobId,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let (key, inner) = (held.key(), held.inner());
        let folder = self.folder_if_newest(key, token, inner.lock.as_ref())?;
        let saved = self.save_blob_in(&folder, id, bytes);
        saved.map_err(|error| self.error(Some(key), "save a blob of", error))
    }

    fn save_blob_in(&self, folder: &KeyFolder, id: BlobId, bytes: &[u8]) -> io::Result<()> {
        let Some(blobs) = folder.own.create_folder(BLOBS)? else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let is_there = read(&blobs, id)?.is_some_and(|there| there == bytes);
        if is_there {
            // A process that died may have left it to a power cut.
            blobs.open_file(&id.digits())?.map_or(Ok(()), |file| file.sync_data())?;
        } else {
            write(&blobs, id, bytes)?;
        }
        blobs.sync()?;
        folder.own.sync()?;
        self.sync_folders(folder)
    }

    pub(super) fn load_blob(&self, key: &StateKey, id: BlobId) -> Result<Option<Bytes>, Error> {
        let load = || -> io::Result<Option<Vec<u8>>> {
            match self.blobs_of(key)? {
                Some(blobs) => read(&blobs, id),
                None => Ok(None),
            }
        };
        let loaded = load().map_err(|error| self.error(Some(key), "load a blob of", error))?;
        Ok(loaded.map(Bytes::from))
    }

    pub(super) fn list_blobs(&self, key: &StateKey) -> Result<Vec<BlobId>, Error> {
        let list = || -> io::Result<Vec<BlobId>> {
            let Some(blobs) = self.blobs_of(key)? else { return Ok(Vec::new()) };
            Ok(blobs.names()?.iter().filter_map(|name| BlobId::from_digits(name)).collect())
        };
        list().map_err(|error| self.error(Some(key), "list the blobs of", error))
    }

    /// Listings leave out what they cannot read: this does not.
    pub(super) fn check_readable(&self, key: &StateKey) -> Result<(), Error> {
        let damaged = |damage: Damage| damage.into_error(key, &self.location, READ);
        let failed = |error| self.error(Some(key), READ, error);
        let Some(KeyFolder { own, .. }) = self.folder_of(key).map_err(failed)? else {
            return Ok(());
        };
        if let Some(file) = aside_files::untold(&own).map_err(failed)? {
            let reason = format!("`{file}` is set aside, and nothing says what it was");
            return Err(Error::corrupt(key, &self.location, reason));
        }
        let Some((_, journal)) = self.journal_of(key)? else { return Ok(()) };
        for extent in journal.extents().map_err(damaged)? {
            journal.line(&extent.map_err(failed)?).map_err(damaged)?;
        }
        Ok(())
    }

    pub(super) fn remove_blobs(
        &self,
        held: &Held,
        token: u64,
        ids: &[BlobId],
    ) -> Result<(), Error> {
        let (key, inner) = (held.key(), held.inner());
        let KeyFolder { own, .. } = self.folder_if_newest(key, token, inner.lock.as_ref())?;
        let remove = || -> io::Result<()> {
            let Some(blobs) = own.open_folder(BLOBS)? else { return Ok(()) };
            for id in ids {
                blobs.remove_file(&id.digits())?;
            }
            remove_half_written(&blobs)?;
            blobs.sync()?;
            // Others may be in it.
            let _ = own.remove_empty_folder(BLOBS);
            Ok(())
        };
        remove().map_err(|error| self.error(Some(key), "remove blobs of", error))
    }

    fn blobs_of(&self, key: &StateKey) -> io::Result<Option<Folder>> {
        let Some(KeyFolder { own, .. }) = self.folder_of(key)? else { return Ok(None) };
        own.open_folder(BLOBS)
    }
}

/// Removes all blobs of a key of which nothing else is left. Only for the holder of the lock.
pub(super) fn remove_all(own: &Folder) -> io::Result<()> {
    let Some(blobs) = own.open_if_folder(BLOBS)? else { return Ok(()) };
    for name in blobs.names()?.iter().filter(|name| BlobId::from_digits(name).is_some()) {
        blobs.remove_file(name)?;
    }
    remove_half_written(&blobs)?;
    // What is not ours stays.
    let _ = own.remove_empty_folder(BLOBS);
    Ok(())
}

/// Removes what writers who died left half written. Only for the holder of the lock.
pub(super) fn sweep(own: &Folder) -> io::Result<()> {
    own.open_if_folder(BLOBS)?.map_or(Ok(()), |blobs| remove_half_written(&blobs))
}

fn remove_half_written(blobs: &Folder) -> io::Result<()> {
    let is_temp = |name: &&String| {
        name.strip_suffix(TEMP_SUFFIX).is_some_and(|id| id.parse::<WriteId>().is_ok())
    };
    for name in blobs.names()?.iter().filter(is_temp) {
        blobs.remove_file(name)?;
    }
    Ok(())
}

fn read(blobs: &Folder, id: BlobId) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = blobs.open_file(&id.digits())? else { return Ok(None) };
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("a blob is not a regular file"));
    }
    // One that is longer than any can be is not what its name says: its hash tells it.
    let longest = MAX_BLOB_BYTES as u64 + 1;
    let mut bytes = Vec::with_capacity(usize::try_from(about.len().min(longest)).unwrap_or(0));
    file.take(longest).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// It is whole under its name, or not there.
fn write(blobs: &Folder, id: BlobId, bytes: &[u8]) -> io::Result<()> {
    let temp = format!("{}{TEMP_SUFFIX}", WriteId::generate());
    let mut file = blobs.create_new_file(&temp)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_data())
        .and_then(|()| blobs.rename(&temp, &id.digits()));
    if written.is_err() {
        // What failed is the writing. A file that cannot be removed either is removed later.
        let _ = blobs.remove_file(&temp);
    }
    written
}
