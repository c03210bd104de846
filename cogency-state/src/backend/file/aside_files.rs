//! The files of what was set aside.
//!
//! | | |
//! |---|---|
//! | `aside-<id>.json` | a record |
//! | `aside-<id>.jsonl` | a journal that could not be read |
//! | `aside-<id>.copy.json` | the copy that was made of it |
//! | `aside-<id>.about` | why, when, and whose it is; one line of JSON |
//! | `aside-<id>.pending` | the same, until the journal says that it is set aside |
//! | `aside-<id>.restoring` | the same, from before the journal says that it is back |

use std::io::{self, Write as _};

use super::journal::{JOURNAL, Journal};
use super::state_file::{self, STATE_FILE};
use super::temp;
use crate::aside::{Aside, AsideId};
use crate::disk::folder::Folder;
use crate::envelope;
use crate::history::Event;
use crate::key::StateKey;
use crate::record::Record;

const PREFIX: &str = "aside-";
const ABOUT: &str = "about";
const PENDING: &str = "pending";
const RESTORING: &str = "restoring";
const ABOUTS: [&str; 3] = [ABOUT, PENDING, RESTORING];

const DOCUMENT_SUFFIX: &str = "json";
const JOURNAL_SUFFIX: &str = "jsonl";
const RECORDS: [&str; 2] = [DOCUMENT_SUFFIX, JOURNAL_SUFFIX];

/// What a file that was set aside is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Document,
    Journal,
}

impl Form {
    fn name(self, id: AsideId) -> String {
        match self {
            Self::Document => document_name(id),
            Self::Journal => journal_name(id),
        }
    }

    /// The name that it had.
    fn was(self) -> &'static str {
        match self {
            Self::Document => STATE_FILE,
            Self::Journal => JOURNAL,
        }
    }
}

pub(super) fn document_name(id: AsideId) -> String {
    name(id, DOCUMENT_SUFFIX)
}

pub(super) fn journal_name(id: AsideId) -> String {
    name(id, JOURNAL_SUFFIX)
}

fn copy_name(id: AsideId) -> String {
    name(id, "copy.json")
}

fn name(id: AsideId, suffix: &str) -> String {
    format!("{PREFIX}{id}.{suffix}")
}

/// Whether something is set aside here, or about to be.
pub(super) fn has_any(own: &Folder) -> io::Result<bool> {
    Ok(own.names()?.iter().any(|name| name.starts_with(PREFIX)))
}

/// What is set aside under an id, if it is.
pub(super) fn form(key: &StateKey, own: &Folder, id: AsideId) -> io::Result<Option<Form>> {
    for form in [Form::Document, Form::Journal] {
        if own.stat(&form.name(id))?.is_some() {
            return Ok(is_aside(key, own, id)?.then_some(form));
        }
    }
    Ok(None)
}

/// Whether a record that has a file of its own is set aside: in doubt the journal says it.
fn is_aside(key: &StateKey, own: &Folder, id: AsideId) -> io::Result<bool> {
    if own.stat(&name(id, ABOUT))?.is_some() {
        return Ok(true);
    }
    let is_restoring = own.stat(&name(id, RESTORING))?.is_some();
    let Some(journal) = Journal::open(own, JOURNAL)? else { return Ok(is_restoring) };
    let Ok(extents) = journal.extents() else { return Ok(is_restoring) };
    let document = state_file::read(own, &document_name(id))?.unwrap_or_default();
    let record = envelope::decode(key, &document).ok();
    let write_id = record.map(|decoded| decoded.record.revision.write_id.to_string());
    for line in extents.flatten().flat_map(|extent| journal.line(&extent)) {
        let event = Event::from(&*line.entry.event);
        if event == Event::Quarantine && line.entry.write_id == id.to_string() {
            return Ok(true);
        }
        if event == Event::Restore && Some(&line.entry.write_id) == write_id.as_ref() {
            return Ok(false);
        }
    }
    Ok(is_restoring)
}

/// Writes what is about to be set aside. It is on the disk, and its name too.
pub(super) fn prepare(own: &Folder, aside: &Aside, record: &Record) -> io::Result<()> {
    write_about(own, aside, PENDING)?;
    let put = state_file::put_durably(own, &document_name(aside.id), record);
    if put.is_err() {
        // It says nothing without the record.
        let _ = own.remove_file(&name(aside.id, PENDING));
    }
    put
}

/// The journal says that it is set aside, or still is.
pub(super) fn commit(own: &Folder, id: AsideId) -> io::Result<()> {
    let doubt = if own.stat(&name(id, PENDING))?.is_some() { PENDING } else { RESTORING };
    own.rename(&name(id, doubt), &name(id, ABOUT))
}

/// From here on the journal says whether it is back.
pub(super) fn restoring(own: &Folder, id: AsideId) -> io::Result<()> {
    own.rename(&name(id, ABOUT), &name(id, RESTORING))?;
    own.sync()
}

/// Sets aside by renaming, as one step. The copy goes first: it would be taken for the record.
pub(super) fn move_away(own: &Folder, aside: &Aside, form: Form) -> io::Result<()> {
    write_about(own, aside, ABOUT)?;
    if form == Form::Journal && own.stat(STATE_FILE)?.is_some() {
        own.rename(STATE_FILE, &copy_name(aside.id))?;
        own.sync()?;
    }
    own.rename(form.was(), &form.name(aside.id))
}

/// Renames it back. A journal of what came after it, which has no record, is kept beside it.
pub(super) fn move_back(own: &Folder, id: AsideId, form: Form) -> io::Result<()> {
    if own.stat(JOURNAL)?.is_some() {
        own.remove_file(STATE_FILE)?;
        own.rename(JOURNAL, &format!("journal.replaced-{id}.jsonl"))?;
    }
    own.rename(&form.name(id), form.was())?;
    if form == Form::Journal && own.stat(&copy_name(id))?.is_some() {
        own.rename(&copy_name(id), STATE_FILE)?;
    }
    Ok(())
}

/// Removes what was known of it.
pub(super) fn forget(own: &Folder, id: AsideId) -> io::Result<()> {
    for suffix in ABOUTS {
        own.remove_file(&name(id, suffix))?;
    }
    Ok(())
}

/// Removes all of it: first what counts.
pub(super) fn remove(own: &Folder, id: AsideId) -> io::Result<()> {
    let mut was_there = false;
    for file in [document_name(id), journal_name(id), copy_name(id)] {
        was_there |= own.remove_file(&file)?;
    }
    if was_there {
        own.sync()?;
    }
    forget(own, id)
}

/// Makes an end of what was begun and not ended. Only for the holder of the lock.
pub(super) fn settle(key: &StateKey, own: &Folder) -> io::Result<()> {
    for (id, suffix) in abouts(own)? {
        if suffix == ABOUT {
            continue;
        }
        if is_aside(key, own, id)? {
            own.rename(&name(id, suffix), &name(id, ABOUT))?;
        } else {
            remove(own, id)?;
        }
    }
    Ok(())
}

/// All that is set aside in a folder.
pub(super) fn all(own: &Folder) -> io::Result<Vec<Aside>> {
    let mut asides = Vec::new();
    for (id, suffix) in abouts(own)? {
        let Some(aside) = read_about(own, id, suffix)? else {
            if form_of_any(own, id)? {
                tracing::warn!(name = name(id, suffix), "it does not say what was set aside");
            }
            continue;
        };
        if form(&aside.key, own, id)?.is_some() {
            asides.push(aside);
        }
    }
    Ok(asides)
}

/// A file that is set aside here, and of which nothing says what it was.
pub(super) fn untold(own: &Folder) -> io::Result<Option<String>> {
    for file in own.names()? {
        let Some((id, _)) = parts(&file).filter(|(_, suffix)| RECORDS.contains(suffix)) else {
            continue;
        };
        let mut is_told = false;
        for suffix in ABOUTS {
            is_told |= read_about(own, id, suffix)?.is_some();
        }
        if !is_told {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

fn read_about(own: &Folder, id: AsideId, suffix: &str) -> io::Result<Option<Aside>> {
    let about = state_file::read(own, &name(id, suffix))?.unwrap_or_default();
    Ok(Aside::from_json(&about).filter(|aside| aside.id == id))
}

fn form_of_any(own: &Folder, id: AsideId) -> io::Result<bool> {
    Ok(own.stat(&document_name(id))?.is_some() || own.stat(&journal_name(id))?.is_some())
}

fn abouts(own: &Folder) -> io::Result<Vec<(AsideId, &'static str)>> {
    let mut abouts = Vec::new();
    for file in own.names()? {
        let Some((id, suffix)) = parts(&file) else { continue };
        abouts.extend(ABOUTS.into_iter().find(|known| *known == suffix).map(|known| (id, known)));
    }
    Ok(abouts)
}

/// The id in a file's name, and what follows it.
fn parts(file: &str) -> Option<(AsideId, &str)> {
    let (id, suffix) = file.strip_prefix(PREFIX)?.split_once('.')?;
    Some((id.parse().ok()?, suffix))
}

/// The file is on the disk, and its name too, before the record moves.
fn write_about(own: &Folder, aside: &Aside, suffix: &str) -> io::Result<()> {
    let text = aside.to_json().map_err(io::Error::other)? + "\n";
    let written =
        temp::put_durably(own, &name(aside.id, suffix), |file| file.write_all(text.as_bytes()));
    written.map(|_| ()).map_err(|error| match error {
        temp::NotPut::Failed(error) | temp::NotPut::Unsure(error) => error,
    })
}
