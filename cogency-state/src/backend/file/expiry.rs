//! Records that have expired: seen without being read, and removed.
//!
//! The clock is the host's, at the moment of a load or list, or at that when a lock was taken.
//! What says that it has expired is believed only once all of it was read: damage is not taken
//! for age.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use super::deleting::remove_all;
use super::journal::{JOURNAL, Journal};
use super::root::Root;
use super::{aside_files, blobs, state_file};
use crate::disk::folder::Folder;
use crate::disk::names;
use crate::error::Error;
use crate::holder::Holder;
use crate::key::StateKey;

impl Root {
    /// Whether the record in a key's folder had expired at a moment. What cannot be read has not.
    pub(super) fn is_over(&self, key: &StateKey, own: &Folder, moment: SystemTime) -> bool {
        seems_over(own, moment) && self.stored(key, own).is_ok_and(|stored| stored.is_over(moment))
    }

    /// Removes an expired record and its history. Only for the holder of the lock.
    ///
    /// A power cut may bring it back, as expired as it was.
    pub(super) fn remove_over(&self, key: &StateKey, own: &Folder) {
        if let Err(error) = Self::try_remove_over(own) {
            let error = self.error(Some(key), "remove the expired record of", error);
            tracing::warn!(%error, "it counts as absent all the same");
        }
    }

    fn try_remove_over(own: &Folder) -> io::Result<()> {
        // Whoever prunes it would bring it back.
        let _journal = Journal::open_locked(own)?;
        remove_all(own)?;
        // What was set aside does not expire.
        if aside_files::has_any(own)? { Ok(()) } else { blobs::remove_all(own) }
    }

    /// Removes all records that have expired and that nobody is at work on. Gives how many.
    ///
    /// What goes wrong with one user does not keep the others: the first error is given at the end.
    pub(super) fn remove_expired(self: &Arc<Self>) -> Result<usize, Error> {
        let failed = |error| self.error(None, "look for expired states", error);
        let Some(root) = self.open().map_err(failed)? else { return Ok(0) };
        let (mut removed, mut first_error) = (0, None);
        for user_name in root.names().map_err(failed)? {
            match self.remove_expired_of(&root, &user_name, failed) {
                Ok(of_user) => removed += of_user,
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        first_error.map_or(Ok(removed), Err)
    }

    fn remove_expired_of(
        self: &Arc<Self>,
        root: &Folder,
        user_name: &str,
        failed: impl Fn(io::Error) -> Error,
    ) -> Result<usize, Error> {
        let mut removed = 0;
        for key in self.seemingly_over(root, user_name).map_err(failed)? {
            removed += usize::from(self.remove_if_over(&key)?);
        }
        Ok(removed)
    }

    /// The keys in a user's folder whose records seem to have expired.
    fn seemingly_over(&self, root: &Folder, user_name: &str) -> io::Result<Vec<StateKey>> {
        let user_id = names::id_of(user_name);
        if user_id.is_none() && !names::is_shortened(user_name) {
            return Ok(Vec::new());
        }
        let Some(user) = root.open_if_folder(user_name)? else { return Ok(Vec::new()) };
        let mut keys = Vec::new();
        for name in user.names()? {
            let session_id = names::id_of(&name);
            if session_id.is_none() && !names::is_shortened(&name) {
                continue;
            }
            let Some(own) = user.open_if_folder(&name)? else { continue };
            if !seems_over(&own, SystemTime::now()) {
                continue;
            }
            keys.extend(match (&user_id, session_id) {
                (Some(user_id), Some(session_id)) => StateKey::new(user_id, session_id).ok(),
                _ => self.key_inside(&own, user_name, &name)?,
            });
        }
        Ok(keys)
    }

    /// Takes a key, unless somebody is at work on it, and removes its record if that has expired.
    fn remove_if_over(self: &Arc<Self>, key: &StateKey) -> Result<bool, Error> {
        let Ok((held, own)) = self.acquire_folder(key, &Holder::current())? else {
            return Ok(false);
        };
        let is_over = self.is_over(key, &own, held.since());
        if is_over {
            let failed = |error| self.error(Some(key), "remove the expired record of", error);
            Self::try_remove_over(&own).map_err(failed)?;
        }
        Ok(is_over)
    }
}

/// Whether a record may have expired at a moment, by the end of its journal or, without one, by the
/// first lines of its document.
fn seems_over(own: &Folder, moment: SystemTime) -> bool {
    let seems = || -> io::Result<bool> {
        let Some(journal) = Journal::open(own, JOURNAL)? else {
            return state_file::may_be_over(own, moment);
        };
        let Some(trailer) = journal.glance()? else { return Ok(true) };
        Ok(trailer.expires_at.is_some_and(|expires_at| expires_at.is_over(moment)))
    };
    seems().unwrap_or(false)
}
