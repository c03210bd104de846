//! The keys of all users: a page is what some users' folders have.

use std::io;
use std::time::SystemTime;

use super::journal::{JOURNAL, Journal, Trailer};
use super::root::Root;
use super::state_file::{self, STATE_FILE};
use crate::backend::KeyPage;
use crate::disk::folder::Folder;
use crate::disk::names;
use crate::envelope;
use crate::error::Error;
use crate::key::{StateKey, valid_id};

impl Root {
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
        if !may_have_record(&folder)? {
            return Ok(None);
        }
        let key = match session_id {
            Some(session_id) => StateKey::new(user_id, session_id).ok(),
            None => self.key_inside(&folder, &names::folder_name(user_id), name)?,
        };
        Ok(key.filter(|key| self.is_listed(key, &folder)))
    }

    /// The key of the record in the folder of these names, where they do not tell it.
    pub(super) fn key_inside(
        &self,
        folder: &Folder,
        user_name: &str,
        name: &str,
    ) -> io::Result<Option<StateKey>> {
        let key = match Journal::open(folder, JOURNAL)? {
            Some(journal) => journal.key()?,
            None => match state_file::read(folder, STATE_FILE)? {
                Some(document) => envelope::peek_key(&document),
                None => return Ok(None),
            },
        };
        let key = key.filter(|key| {
            names::folder_name(key.user_id()) == user_name
                && names::folder_name(key.session_id()) == name
        });
        if key.is_none() {
            tracing::warn!(location = %self.location, name, "a record does not say whose it is");
        }
        Ok(key)
    }

    /// Whether a key has a record. One that cannot be read is there too.
    fn is_listed(&self, key: &StateKey, own: &Folder) -> bool {
        let seems = || -> io::Result<bool> {
            let now = SystemTime::now();
            let Some(journal) = Journal::open(own, JOURNAL)? else {
                return Ok(!self.is_over(key, own, now));
            };
            let glance = journal.glance()?;
            let is_over = |trailer: Trailer| trailer.expires_at.is_some_and(|at| at.is_over(now));
            Ok(glance.is_some_and(|trailer| trailer.has_record && !is_over(trailer)))
        };
        // That there is none is believed only once it was read.
        seems().unwrap_or(true)
            || match self.stored(key, own) {
                Ok(stored) => stored.revision_at(SystemTime::now()).is_some(),
                Err(_) => true,
            }
    }

    /// The keys of whole users, until there are enough. A page begins after a user's folder.
    ///
    /// Each page reads the names of all users' folders anew, so none has to stay open.
    pub(super) fn list_all(&self, after: Option<&str>, limit: usize) -> Result<KeyPage, Error> {
        let failed = |error| self.error(None, "list the states of all users", error);
        let Some(root) = self.open().map_err(failed)? else { return Ok(KeyPage::default()) };
        let mut users = root.names().map_err(failed)?;
        users.retain(|name| after.is_none_or(|after| name.as_str() > after));
        users.sort_unstable();
        let mut page = KeyPage::default();
        for user_name in users {
            if page.keys.len() >= limit.max(1) {
                return Ok(page);
            }
            page.keys.extend(self.keys_of(&root, &user_name).map_err(failed)?);
            page.next = Some(user_name);
        }
        page.next = None;
        Ok(page)
    }

    /// The keys in a folder, if that is a user's.
    fn keys_of(&self, root: &Folder, user_name: &str) -> io::Result<Vec<StateKey>> {
        let user_id = names::id_of(user_name);
        if user_id.is_none() && !names::is_shortened(user_name) {
            return Ok(Vec::new());
        }
        let Some(user) = root.open_if_folder(user_name)? else { return Ok(Vec::new()) };
        let mut keys = Vec::new();
        for name in user.names()? {
            keys.extend(match &user_id {
                Some(user_id) => self.key_in(&user, user_id, &name)?,
                None => self.key_of_shortened(&user, user_name, &name)?,
            });
        }
        keys.sort_unstable();
        Ok(keys)
    }

    /// The same, of a user whose id only the records tell.
    fn key_of_shortened(
        &self,
        user: &Folder,
        user_name: &str,
        name: &str,
    ) -> io::Result<Option<StateKey>> {
        if names::id_of(name).is_none() && !names::is_shortened(name) {
            return Ok(None);
        }
        let Some(folder) = user.open_if_folder(name)? else { return Ok(None) };
        let Some(key) = self.key_inside(&folder, user_name, name)? else { return Ok(None) };
        self.key_in(user, key.user_id(), name)
    }
}

/// Whether there is something that can be a record, or say that there is one.
fn may_have_record(own: &Folder) -> io::Result<bool> {
    Ok(own.stat(JOURNAL)?.is_some() || own.stat(STATE_FILE)?.is_some())
}
