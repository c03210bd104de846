//! Deleting: a line that says so; the history stays.

use std::sync::Arc;

use super::held::Held;
use super::journal::{Added, JOURNAL};
use super::root::Root;
use super::saving::origin;
use super::state_file::STATE_FILE;
use crate::disk::folder::Folder;
use crate::error::Error;
use crate::history::{Event, Next};
use crate::holder::Holder;
use crate::record::WriteId;

impl Root {
    pub(super) fn delete(self: &Arc<Self>, held: &Held, token: u64) -> Result<bool, Error> {
        let key = held.key();
        let failed = |error| self.error(Some(key), "delete", error);
        let mut inner = held.inner();
        let folder = self.folder_if_newest(key, token, inner.lock.as_ref())?;
        let Some(journal) = self.open_to_write(key, &folder.own).map_err(failed)? else {
            return self.delete_document(held, &folder.own);
        };
        let standing = match self.standing_under(held, &mut inner, &folder.own, &journal) {
            Ok(standing) => standing,
            Err(Error::Corrupt { .. } | Error::SchemaVersion { .. }) => {
                remove_all(&folder.own).map_err(failed)?;
                return Ok(true);
            }
            Err(error) => return Err(error),
        };
        if standing.is_over(held.since()) {
            remove_all(&folder.own).map_err(failed)?;
            return Ok(false);
        }
        if standing.record.is_none() {
            // An earlier try may have left it to a power cut.
            self.make_durable(&folder, &journal).map_err(failed)?;
            return Ok(false);
        }
        let id = WriteId::generate().to_string();
        let holder = Holder::current();
        let origin = origin(&holder);
        let next = Next::gone(Some(&standing.head), key, &Event::Delete, &id, origin);
        let added = Added { next, record: None, expires_at: None };
        let gone = journal.append(key, &folder.own, &standing, added);
        let gone = gone.map_err(|error| self.not_changed(key, "delete", error))?;
        self.stands(held, &mut inner, gone);
        self.remove_copy(key, &folder.own);
        Ok(true)
    }

    fn delete_document(&self, held: &Held, own: &Folder) -> Result<bool, Error> {
        let key = held.key();
        let failed = |error| self.error(Some(key), "delete", error);
        let was_over = self.is_over(key, own, held.since());
        let was_there = own.remove_file(STATE_FILE).map_err(failed)? && !was_over;
        // Removed for all to see, but a power cut may bring it back.
        let unsure = |error| Error::outcome_unknown(key, &self.location, None, error);
        own.sync().map_err(unsure)?;
        Ok(was_there)
    }
}

/// Removes the journal and what was made of it: first that, so that it is never taken for the
/// record itself. Only for the holder of the lock, who has locked the journal too.
pub(super) fn remove_all(own: &Folder) -> std::io::Result<()> {
    if own.remove_file(STATE_FILE)? {
        own.sync()?;
    }
    own.remove_file(JOURNAL)?;
    own.sync()
}
