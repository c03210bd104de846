//! Saving: one line more, on the disk before anyone is told.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::held::{Held, HeldInner};
use super::journal::{self, Added, Journal, NotAdded, Standing};
use super::root::{KeyFolder, Root};
use super::state_file;
use super::stored::Stored;
use crate::backend::Write;
use crate::disk::folder::Folder;
use crate::error::Error;
use crate::expires_at::ExpiresAt;
use crate::history::{Anchor, Event, Head, Next, Origin, Saved};
use crate::holder::Holder;
use crate::key::StateKey;
use crate::record::{Checksum, Record, Revision, version_of};

impl Root {
    pub(super) fn save(
        self: &Arc<Self>,
        held: &Held,
        token: u64,
        write: &Write,
    ) -> Result<(), Error> {
        self.replace(held, token, &mut held.inner(), write)
    }

    pub(super) fn save_and_release(
        self: &Arc<Self>,
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
        self: &Arc<Self>,
        held: &Held,
        token: u64,
        inner: &mut HeldInner,
        write: &Write,
    ) -> Result<(), Error> {
        let key = held.key();
        let failed = |error| self.error(Some(key), "save", error);
        let folder = self.folder_if_newest(key, token, inner.lock.as_ref())?;
        let Some(journal) = self.open_to_write(key, &folder.own).map_err(failed)? else {
            return self.begin(held, &folder, inner, write);
        };
        let standing = self.standing_under(held, inner, &folder.own, &journal)?;
        let found = standing.revision_at(held.since());
        if self.is_there(key, write, found)? {
            return self.make_durable(&folder, &journal).map_err(failed);
        }
        if standing.is_over(held.since()) {
            // An expired state leaves no history.
            let added = vec![added(None, write, None)];
            return self.begin_with(held, inner, &folder, added, write);
        }
        let replaced = standing.record.as_ref();
        let added = added(Some(&standing.head), write, replaced);
        let appended = journal.append(key, &folder.own, &standing, added);
        let standing = appended.map_err(|error| self.not_added(key, write, error))?;
        let standing = self.compact_if_due(key, &folder.own, &journal, standing);
        self.stands(held, inner, standing);
        Ok(())
    }

    /// Begins a journal. A record that is there without one is its first entry.
    fn begin(
        self: &Arc<Self>,
        held: &Held,
        folder: &KeyFolder,
        inner: &mut HeldInner,
        write: &Write,
    ) -> Result<(), Error> {
        let key = held.key();
        let failed = |error| self.error(Some(key), "save", error);
        let stored = self.stored(key, &folder.own)?;
        let was_there = matches!(stored, Stored::Document(_));
        if self.is_there(key, write, stored.revision_at(held.since()))? {
            self.sync_folders(folder).and_then(|()| folder.own.sync()).map_err(failed)?;
            return Ok(());
        }
        let mut entries = Vec::new();
        if let Stored::Document(document) = stored
            && document.expires_at.is_none_or(|expires_at| !expires_at.is_over(held.since()))
        {
            let event = Event::Save;
            let saved = Saved { event, record: &document.record, expected: None, replaced: None };
            let next = Next::save(None, &saved, origin(&Holder::current()));
            let expires_at = document.expires_at;
            entries.push(Added { next, record: Some(document.record), expires_at });
        }
        let added = match entries.last() {
            Some(taken) => added(Some(&taken.next.head), write, taken.record.as_ref()),
            None => added(None, write, None),
        };
        entries.push(added);
        self.sync_folders(folder).map_err(failed)?;
        self.begin_with(held, inner, folder, entries, write)?;
        if was_there {
            // It is not a copy, and nobody edited it since it was read.
            self.copy(key, &folder.own, &write.record, write.ttl.and_then(ExpiresAt::after));
        }
        Ok(())
    }

    fn begin_with(
        self: &Arc<Self>,
        held: &Held,
        inner: &mut HeldInner,
        folder: &KeyFolder,
        entries: Vec<Added>,
        write: &Write,
    ) -> Result<(), Error> {
        let (key, before) = (held.key(), Head::empty(Anchor::NONE));
        let created = journal::create(key, &folder.own, &before, entries);
        let created = created.map_err(|error| self.not_added(key, write, error))?;
        if let Some(standing) = created {
            self.stands(held, inner, standing);
        }
        Ok(())
    }

    /// Whether an earlier try of this save is there already. An error if it may not be made.
    fn is_there(
        &self,
        key: &StateKey,
        write: &Write,
        found: Option<Revision>,
    ) -> Result<bool, Error> {
        if !write.may_replace(found) {
            let (expected, found) = (version_of(write.expected), version_of(found));
            return Err(Error::conflict(key, &self.location, expected, found));
        }
        let write_id = write.record.revision.write_id;
        Ok(found.is_some_and(|found| found.write_id == write_id))
    }

    /// What an earlier try may have left to a power cut.
    pub(super) fn make_durable(
        &self,
        folder: &KeyFolder,
        journal: &Journal,
    ) -> std::io::Result<()> {
        journal.sync()?;
        folder.own.sync()?;
        self.sync_folders(folder)
    }

    /// Opens a journal to append to it. One that this process could not sync is written anew first:
    /// what is in memory of it need not be on the disk.
    pub(super) fn open_to_write(
        &self,
        key: &StateKey,
        own: &Folder,
    ) -> std::io::Result<Option<Journal>> {
        let Some(journal) = Journal::open_locked(own)? else { return Ok(None) };
        if !self.known.is_doubted(key) {
            return Ok(Some(journal));
        }
        journal.renew(own)?;
        self.known.trust(key);
        drop(journal);
        Journal::open_locked(own)
    }

    /// Where the journal stands that this lease may write to.
    pub(super) fn standing_under(
        &self,
        held: &Held,
        inner: &mut HeldInner,
        own: &Folder,
        journal: &Journal,
    ) -> Result<Standing, Error> {
        let now = journal.fingerprint();
        let now = now.map_err(|error| self.error(Some(held.key()), "look at", error))?;
        match inner.seen.take().filter(|seen| seen.fingerprint == now) {
            Some(seen) => Ok(seen),
            None => self.standing(held.key(), own, journal),
        }
    }

    /// Remembers where a journal stands now, and sees to its copy.
    pub(super) fn stands(self: &Arc<Self>, held: &Held, inner: &mut HeldInner, standing: Standing) {
        self.known.put(held.key(), &standing);
        inner.seen = Some(standing);
        self.copy_soon(held.key());
    }

    fn not_added(&self, key: &StateKey, write: &Write, error: NotAdded) -> Error {
        match error {
            NotAdded::Failed(error) => self.error(Some(key), "save", error),
            NotAdded::Unsure(error) => {
                self.known.doubt(key);
                let write_id = write.record.revision.write_id;
                Error::outcome_unknown(key, &self.location, Some(write_id), error)
            }
        }
    }

    /// The same of anything but a save.
    pub(super) fn not_changed(
        &self,
        key: &StateKey,
        operation: &'static str,
        error: NotAdded,
    ) -> Error {
        match error {
            NotAdded::Failed(error) => self.error(Some(key), operation, error),
            NotAdded::Unsure(error) => {
                self.known.doubt(key);
                Error::outcome_unknown(key, &self.location, None, error)
            }
        }
    }

    fn copy(&self, key: &StateKey, own: &Folder, record: &Record, expires_at: Option<ExpiresAt>) {
        if let Err(error) = state_file::put(own, record, expires_at) {
            let error = self.error(Some(key), "write the copy `state.json` of", error);
            tracing::warn!(%error, "the journal has it");
        }
    }
}

/// The entry of a save.
fn added(head: Option<&Head>, write: &Write, replaced: Option<&Record>) -> Added {
    let saved = Saved {
        event: write.action.into(),
        record: &write.record,
        expected: write.expected,
        replaced: replaced.map(|replaced| &replaced.state),
    };
    let next = Next::save(head, &saved, origin(&Holder::current()));
    let mut record = write.record.clone();
    record.checksum.get_or_insert_with(|| Checksum::of(&write.record.state));
    let expires_at = write.ttl.and_then(ExpiresAt::after);
    Added { next, record: Some(record), expires_at }
}

pub(super) fn origin(holder: &Holder) -> Origin<'_> {
    Origin { at: now(), process: holder.process, host: &holder.host }
}

/// In microseconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(0)
}
