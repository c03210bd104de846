//! The keys of all users: a page is what some users' folders have.

use std::io;

use super::root::Root;
use crate::backend::KeyPage;
use crate::disk::folder::Folder;
use crate::disk::names;
use crate::error::Error;
use crate::key::StateKey;

impl Root {
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
