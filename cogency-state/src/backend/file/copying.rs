//! One copy: made of what the journal says now, and put in its place unless a person edited it.

use std::io;
use std::time::SystemTime;

use super::journal::{JOURNAL, Journal, Standing};
use super::root::Root;
use super::state_file::{self, STATE_FILE};
use crate::disk::folder::Folder;
use crate::envelope;
use crate::error::Error;
use crate::key::StateKey;
use crate::record::{Revision, WriteId};

const COPY: &str = "write the copy `state.json` of";

/// What a disk keeps or loses as a whole.
const PAGE: usize = 4096;

/// A folder whose copy nobody else writes meanwhile: else an older one could replace a newer one.
struct Locked<'f>(&'f Folder);

impl<'f> Locked<'f> {
    /// `None` if somebody else is at it.
    fn try_lock(folder: &'f Folder) -> io::Result<Option<Self>> {
        Ok(folder.try_lock()?.then_some(Self(folder)))
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.0.unlock();
    }
}

/// What stands in the place of the copy.
enum There {
    Nothing,
    /// A copy, of this revision.
    Copy(Revision),
    /// What a power cut left of one, or what is in the journal by now.
    Replaceable,
    /// What a person made of it.
    Edited,
}

impl Root {
    /// Makes the copy of a key's record what the journal says now. `false` if another process is
    /// at it.
    pub(super) fn refresh(&self, key: &StateKey) -> Result<bool, Error> {
        let failed = |error| self.error(Some(key), COPY, error);
        let Some(folder) = self.folder_of(key).map_err(failed)? else { return Ok(true) };
        let own = folder.own;
        let Some(locked) = Locked::try_lock(&own).map_err(failed)? else { return Ok(false) };
        // Without a journal the document is no copy.
        let Some(journal) = Journal::open(&own, JOURNAL).map_err(failed)? else {
            return Ok(true);
        };
        let standing = self.standing(key, &own, &journal)?;
        bring_up(key, &own, &journal, &standing).map_err(failed)?;
        drop(locked);
        Ok(true)
    }

    /// Removes the copy of a record that is gone, or leaves that to another process.
    pub(super) fn remove_copy(&self, key: &StateKey, own: &Folder) {
        let remove = || -> io::Result<()> {
            let Some(_locked) = Locked::try_lock(own)? else { return Ok(()) };
            match Journal::open(own, JOURNAL)? {
                Some(journal) => clear(own, &there(key, own, &journal)?),
                None => Ok(()),
            }
        };
        if let Err(error) = remove() {
            let error = self.error(Some(key), "remove the copy `state.json` of", error);
            tracing::warn!(%error, "it is gone all the same");
        }
    }
}

fn bring_up(
    key: &StateKey,
    own: &Folder,
    journal: &Journal,
    standing: &Standing,
) -> io::Result<()> {
    let there = there(key, own, journal)?;
    let Some(record) = standing.record_at(SystemTime::now()) else {
        return clear(own, &there);
    };
    if matches!(there, There::Copy(revision) if revision == record.revision) {
        return Ok(());
    }
    if !standing.is_durable {
        // A copy must not have what a power cut could take from the journal.
        journal.sync()?;
    }
    if matches!(there, There::Edited) {
        keep_edited(own)?;
    }
    state_file::put(own, record, standing.expires_at)
}

/// Nothing is left where there is no record, but what a person edited.
fn clear(own: &Folder, there: &There) -> io::Result<()> {
    match there {
        There::Nothing => Ok(()),
        There::Edited => keep_edited(own),
        There::Copy(_) | There::Replaceable => own.remove_file(STATE_FILE).map(|_| ()),
    }
}

fn there(key: &StateKey, own: &Folder, journal: &Journal) -> io::Result<There> {
    let Some(document) = state_file::read(own, STATE_FILE)? else { return Ok(There::Nothing) };
    let is_torn = document.len() % PAGE == 0 || document.contains(&0);
    Ok(match envelope::decode(key, &document) {
        Ok(decoded) if envelope::is_ours(&document) => There::Copy(decoded.record.revision),
        // It was the record before there was a journal.
        Ok(decoded) if journal.has(decoded.record.revision.write_id) => There::Replaceable,
        Err(_) if is_torn => There::Replaceable,
        _ => There::Edited,
    })
}

/// Keeps what a person made of a copy, under another name.
fn keep_edited(own: &Folder) -> io::Result<()> {
    let name = format!("state.edited-{}.json", WriteId::generate());
    own.rename(STATE_FILE, &name)?;
    tracing::warn!(name, "somebody edited `state.json`, which is a copy: it is kept, not used");
    Ok(())
}
