//! What is stored under a key, wherever it stands.

use std::io;
use std::time::SystemTime;

use super::journal::{Damage, JOURNAL, Journal, Standing};
use super::root::Root;
use super::state_file::{self, STATE_FILE};
use crate::disk::folder::Folder;
use crate::envelope::{self, Decoded};
use crate::error::Error;
use crate::history::Anchor;
use crate::key::StateKey;
use crate::record::{Record, Revision};

/// What is stored under a key.
pub(super) enum Stored {
    Nothing,
    /// In a journal, which may say that there is no record any more.
    Journal(Box<Standing>),
    /// In a document alone, as before there were journals.
    Document(Box<Decoded>),
}

impl Stored {
    /// The record, unless it had expired at a moment.
    pub(super) fn record_at(self, moment: SystemTime) -> Option<Record> {
        if self.is_over(moment) {
            return None;
        }
        match self {
            Self::Nothing => None,
            Self::Journal(standing) => standing.record,
            Self::Document(document) => Some(document.record),
        }
    }

    pub(super) fn revision_at(&self, moment: SystemTime) -> Option<Revision> {
        match self {
            Self::Nothing => None,
            Self::Journal(standing) => standing.revision_at(moment),
            Self::Document(document) => (!self.is_over(moment)).then_some(document.record.revision),
        }
    }

    /// Whether there is a record that had expired at a moment.
    pub(super) fn is_over(&self, moment: SystemTime) -> bool {
        let expires_at = match self {
            Self::Nothing => None,
            Self::Journal(standing) => standing.expires_at,
            Self::Document(document) => document.expires_at,
        };
        expires_at.is_some_and(|expires_at| expires_at.is_over(moment))
    }
}

impl Root {
    /// What is stored under a key. What this process knows of a journal that is still the same is
    /// not read again.
    pub(super) fn stored(&self, key: &StateKey, own: &Folder) -> Result<Stored, Error> {
        let failed = |error| self.error(Some(key), "load", error);
        match Journal::open(own, JOURNAL).map_err(failed)? {
            Some(journal) => {
                let standing = self.standing(key, own, &journal)?;
                Ok(Stored::Journal(Box::new(standing)))
            }
            None => self.document(key, own),
        }
    }

    fn document(&self, key: &StateKey, own: &Folder) -> Result<Stored, Error> {
        let document = state_file::read(own, STATE_FILE);
        let document = document.map_err(|error| self.error(Some(key), "load", error))?;
        let Some(document) = document else { return Ok(Stored::Nothing) };
        let decoded = envelope::decode(key, &document);
        let decoded = decoded.map_err(|unreadable| unreadable.into_error(key, &self.location))?;
        Ok(Stored::Document(Box::new(decoded)))
    }

    /// Where a journal stands.
    pub(super) fn standing(
        &self,
        key: &StateKey,
        own: &Folder,
        journal: &Journal,
    ) -> Result<Standing, Error> {
        self.look(key, own, journal)
            .map_err(|damage| damage.into_error(key, &self.location, "load"))
    }

    /// The same, where damage is told from other errors.
    pub(super) fn look(
        &self,
        key: &StateKey,
        own: &Folder,
        journal: &Journal,
    ) -> Result<Standing, Damage> {
        let fingerprint = journal.fingerprint()?;
        if let Some(known) = self.known.get(key, fingerprint) {
            return Ok(known);
        }
        let mut standing = journal.look(key)?;
        if standing.is_torn() {
            standing = still_torn(key, own, journal)?;
        }
        standing.is_named = self.known.is_named(key, standing.fingerprint);
        self.known.put(key, &standing);
        Ok(standing)
    }
}

/// What stands behind the last whole line is of a save that nobody was told of. It is not if the
/// copy of the record is newer: that is made of whole lines that are on the disk.
///
/// The copy is looked at first: whatever it was made of is in the journal by then.
fn still_torn(key: &StateKey, own: &Folder, journal: &Journal) -> Result<Standing, Damage> {
    let copied = copied(key, own)?;
    let standing = journal.look(key)?;
    let Some(copied) = copied.filter(|_| standing.is_torn()) else { return Ok(standing) };
    let is_newer = match &standing.record {
        Some(record) => copied.version > record.revision.version,
        // It can be the copy of what is gone.
        None => journal.pruned()? == Anchor::NONE && !journal.has(copied.write_id),
    };
    if is_newer { Err(Damage::cut_off(standing.end)) } else { Ok(standing) }
}

/// What the copy was made of, if this library wrote it.
fn copied(key: &StateKey, own: &Folder) -> io::Result<Option<Revision>> {
    let Some(document) = state_file::read(own, STATE_FILE)? else { return Ok(None) };
    if !envelope::is_ours(&document) {
        return Ok(None);
    }
    Ok(envelope::decode(key, &document).ok().map(|decoded| decoded.record.revision))
}
