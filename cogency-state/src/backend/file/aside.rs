//! Records that were set aside, in their key's folder.
//!
//! What can be read is written to a file of its own; then a line of the journal says that it was
//! set aside, as the one step that counts. Until that is there, what was written says nothing; the
//! way back is alike. What cannot be read is set aside as it is: its file is renamed.

use std::io;
use std::sync::Arc;

use super::aside_files::{self as files, Form};
use super::held::Held;
use super::journal::{self, Added, JOURNAL, Journal};
use super::root::{KeyFolder, Root};
use super::saving::origin;
use super::state_file::{self, STATE_FILE};
use crate::aside::{Aside, AsideId};
use crate::disk::folder::Folder;
use crate::disk::names;
use crate::envelope;
use crate::error::Error;
use crate::history::{Anchor, Back, Head, Next};
use crate::holder::Holder;
use crate::key::{StateKey, valid_id};
use crate::record::{Record, version_of};

const SET: &str = "set aside the record of";
const LIST: &str = "list what was set aside in";
const RESTORE: &str = "restore what was set aside of";

impl Root {
    pub(super) fn set_aside(
        self: &Arc<Self>,
        held: &Held,
        token: u64,
        aside: &Aside,
    ) -> Result<bool, Error> {
        let key = held.key();
        let failed = |error| self.error(Some(key), SET, error);
        let lock = held.inner();
        let KeyFolder { own, .. } = self.folder_if_newest(key, token, lock.lock.as_ref())?;
        drop(lock);
        files::settle(key, &own).map_err(failed)?;
        if files::form(key, &own, aside.id).map_err(failed)?.is_some() {
            // Moved for all to see, but a power cut may bring it back.
            let unsure = |error| Error::outcome_unknown(key, &self.location, None, error);
            own.sync().map_err(unsure)?;
            return Ok(true);
        }
        match self.open_to_write(key, &own).map_err(failed)? {
            Some(journal) => self.set_aside_of(held, &own, &journal, aside),
            None => self.move_aside(held, &own, aside, Form::Document),
        }
    }

    fn set_aside_of(
        self: &Arc<Self>,
        held: &Held,
        own: &Folder,
        journal: &Journal,
        aside: &Aside,
    ) -> Result<bool, Error> {
        let (key, mut inner) = (held.key(), held.inner());
        let failed = |error| self.error(Some(key), SET, error);
        let standing = match self.standing_under(held, &mut inner, own, journal) {
            Ok(standing) => standing,
            Err(Error::Corrupt { .. } | Error::SchemaVersion { .. }) => {
                return self.move_aside(held, own, aside, Form::Journal);
            }
            Err(error) => return Err(error),
        };
        let Some(record) = standing.record_at(held.since()) else { return Ok(false) };
        files::prepare(own, aside, record).map_err(failed)?;
        let (id, holder) = (aside.id.to_string(), Holder::current());
        let about = aside.to_json()?;
        let next = Next::aside(Some(&standing.head), key, &id, about, origin(&holder));
        let added = Added { next, record: None, expires_at: None };
        match journal.append(key, own, &standing, added) {
            Ok(gone) => self.stands(held, &mut inner, gone),
            Err(error) => {
                // It is still under its key; what was prepared says nothing.
                let _ = files::remove(own, aside.id);
                return Err(self.not_changed(key, SET, error));
            }
        }
        files::commit(own, aside.id).map_err(|error| self.unfinished(key, error)).ok();
        self.remove_copy(key, own);
        Ok(true)
    }

    /// Whoever looks finds it in the journal; the next holder of the lease makes it good.
    fn unfinished(&self, key: &StateKey, error: io::Error) {
        let error = self.error(Some(key), SET, error);
        tracing::warn!(%error, "it is set aside all the same");
    }

    /// Renames what cannot be read, or what stands without a journal.
    fn move_aside(
        &self,
        held: &Held,
        own: &Folder,
        aside: &Aside,
        form: Form,
    ) -> Result<bool, Error> {
        let key = held.key();
        let failed = |error| self.error(Some(key), SET, error);
        if form == Form::Document {
            let is_there = own.stat(STATE_FILE).map_err(failed)?.is_some();
            if !is_there || self.is_over(key, own, held.since()) {
                return Ok(false);
            }
        }
        self.known.remove(key);
        files::move_away(own, aside, form).map_err(failed)?;
        let unsure = |error| Error::outcome_unknown(key, &self.location, None, error);
        own.sync().map_err(unsure)?;
        Ok(true)
    }

    pub(super) fn list_aside(&self, user_id: Option<&str>) -> Result<Vec<Aside>, Error> {
        let failed = |error| self.error(None, LIST, error);
        let Some(root) = self.open().map_err(failed)? else { return Ok(Vec::new()) };
        let user_names = match user_id {
            Some(user_id) => vec![names::folder_name(valid_id("user_id", user_id)?)],
            None => root.names().map_err(failed)?,
        };
        let mut asides = Vec::new();
        for user_name in user_names {
            if !names::is_name(&user_name) {
                continue;
            }
            let Some(user) = root.open_if_folder(&user_name).map_err(failed)? else { continue };
            for name in user.names().map_err(failed)? {
                let Some(own) = user.open_if_folder(&name).map_err(failed)? else { continue };
                let found = files::all(&own).map_err(failed)?;
                asides.extend(found.into_iter().filter(|aside| {
                    names::folder_name(aside.key.user_id()) == user_name
                        && names::folder_name(aside.key.session_id()) == name
                }));
            }
        }
        asides.sort_by_cached_key(|aside| (aside.at.to_string(), aside.id));
        Ok(asides)
    }

    pub(super) fn load_aside(&self, key: &StateKey, id: AsideId) -> Result<Option<Record>, Error> {
        let failed = |error| self.error(Some(key), "load what was set aside of", error);
        let Some(KeyFolder { own, .. }) = self.folder_of(key).map_err(failed)? else {
            return Ok(None);
        };
        match files::form(key, &own, id).map_err(failed)? {
            None => Ok(None),
            Some(Form::Document) => {
                let document = state_file::read(&own, &files::document_name(id)).map_err(failed)?;
                let read = |document| Record::from_json(key, &self.location, &document);
                document.map(read).transpose()
            }
            Some(Form::Journal) => {
                let journal = Journal::open(&own, &files::journal_name(id)).map_err(failed)?;
                let Some(journal) = journal else { return Ok(None) };
                let looked = journal.look(key).map_err(|damage| {
                    damage.into_error(key, &self.location, "load what was set aside of")
                })?;
                Ok(looked.record)
            }
        }
    }

    pub(super) fn restore_aside(
        self: &Arc<Self>,
        held: &Held,
        token: u64,
        id: AsideId,
    ) -> Result<bool, Error> {
        let key = held.key();
        let failed = |error| self.error(Some(key), RESTORE, error);
        let lock = held.inner();
        let folder = self.folder_if_newest(key, token, lock.lock.as_ref())?;
        drop(lock);
        files::settle(key, &folder.own).map_err(failed)?;
        let Some(form) = files::form(key, &folder.own, id).map_err(failed)? else {
            return Ok(false);
        };
        let stored = self.stored(key, &folder.own)?;
        if let found @ Some(_) = stored.revision_at(held.since()) {
            return Err(Error::conflict(key, &self.location, 0, version_of(found)));
        }
        if stored.is_over(held.since()) {
            self.remove_over(key, &folder.own);
        }
        self.sync_folders(&folder).map_err(failed)?;
        if form == Form::Document {
            let name = files::document_name(id);
            let document = state_file::read(&folder.own, &name).map_err(failed)?;
            let Some(document) = document else { return Ok(false) };
            if let Ok(decoded) = envelope::decode(key, &document) {
                return self.bring_back(held, &folder.own, id, &decoded.record);
            }
        }
        self.known.remove(key);
        held.inner().seen = None;
        files::move_back(&folder.own, id, form).map_err(failed)?;
        let unsure = |error| Error::outcome_unknown(key, &self.location, None, error);
        folder.own.sync().map_err(unsure)?;
        files::forget(&folder.own, id).map_err(unsure)?;
        Ok(true)
    }

    /// Saves once more, as it was, what can be read. It stays until a save says otherwise.
    fn bring_back(
        self: &Arc<Self>,
        held: &Held,
        own: &Folder,
        id: AsideId,
        record: &Record,
    ) -> Result<bool, Error> {
        let (key, mut inner) = (held.key(), held.inner());
        let failed = |error| self.error(Some(key), RESTORE, error);
        files::restoring(own, id).map_err(failed)?;
        let holder = Holder::current();
        let back = |head: Option<&Head>| {
            let next = Next::back(head, key, Back::of(record), origin(&holder));
            Added { next, record: Some(record.clone()), expires_at: None }
        };
        let added = match self.open_to_write(key, own).map_err(failed)? {
            Some(journal) => {
                let standing = self.standing_under(held, &mut inner, own, &journal)?;
                journal.append(key, own, &standing, back(Some(&standing.head))).map(Some)
            }
            None => journal::create(key, own, &Head::empty(Anchor::NONE), vec![back(None)]),
        };
        match added {
            Ok(Some(standing)) => self.stands(held, &mut inner, standing),
            Ok(None) => {}
            Err(error) => {
                // It is still aside.
                let _ = files::commit(own, id);
                return Err(self.not_changed(key, RESTORE, error));
            }
        }
        files::remove(own, id).map_err(|error| self.unfinished(key, error)).ok();
        Ok(true)
    }

    pub(super) fn drop_aside(&self, key: &StateKey, id: AsideId) -> Result<bool, Error> {
        let failed = |error| self.error(Some(key), "delete what was set aside of", error);
        let Some(KeyFolder { root, user, own }) = self.folder_of(key).map_err(failed)? else {
            return Ok(false);
        };
        let was_there = files::form(key, &own, id).map_err(failed)?.is_some();
        files::remove(&own, id).map_err(failed)?;
        // They may hold more.
        let _ = user.remove_empty_folder(&names::folder_name(key.session_id()));
        let _ = root.remove_empty_folder(&names::folder_name(key.user_id()));
        Ok(was_there)
    }

    /// What whoever held the lease before may have left undone, if he died.
    pub(super) fn after_a_death(self: &Arc<Self>, key: &StateKey, own: &Folder) -> io::Result<()> {
        super::temp::sweep(own)?;
        super::blobs::sweep(own)?;
        files::settle(key, own)?;
        if own.stat(JOURNAL)?.is_some() {
            self.copy_soon(key);
        }
        Ok(())
    }
}
