//! Histories that an archive takes.

use std::io;

use super::journal::{Damage, JOURNAL, Journal};
use super::root::Root;
use super::saving::now;
use crate::disk::folder::Folder;
use crate::disk::names;
use crate::error::Error;
use crate::history::{Anchor, Audit, Break, HistoryRow, Retention};
use crate::key::StateKey;

/// No more than this is held at once, but for what belongs together.
const MAX_BYTES: usize = 16 << 20;

const EXPORT: &str = "export the history of";

impl Root {
    /// All keys that have a journal, in order. Each page looks at all folders anew.
    pub(super) fn history_keys(
        &self,
        after: Option<&StateKey>,
        limit: usize,
    ) -> Result<Vec<StateKey>, Error> {
        let failed = |error| self.error(None, "list the histories of all users", error);
        let Some(root) = self.open().map_err(failed)? else { return Ok(Vec::new()) };
        let mut keys = Vec::new();
        for user_name in root.names().map_err(failed)? {
            if names::is_name(&user_name) {
                let found = with_journals(&root, &user_name).map_err(failed)?;
                keys.extend(found.into_iter().filter(|key| after.is_none_or(|after| key > after)));
            }
        }
        keys.sort_unstable();
        keys.truncate(limit);
        Ok(keys)
    }

    pub(super) fn export_history(
        &self,
        key: &StateKey,
        after: Anchor,
        stays: Retention,
        limit: usize,
    ) -> Result<Vec<HistoryRow>, Error> {
        let damaged = |damage: Damage| damage.into_error(key, &self.location, EXPORT);
        let Some((_, journal)) = self.journal_of(key)? else { return Ok(Vec::new()) };
        let Some(cut) = journal.cut(stays, now()).map_err(damaged)? else {
            return Ok(Vec::new());
        };
        let begin = if after.sequence > cut.before.sequence { after } else { cut.before };
        if begin.sequence >= cut.anchor.sequence {
            return Ok(Vec::new());
        }
        let rows = between(&journal, key, begin, cut.anchor, limit).map_err(damaged)?;
        rows.map_err(|Break { sequence, reason }| {
            Error::history_broken(key, &self.location, sequence, reason)
        })
    }
}

/// Entries behind one and up to another, the first of them; each is looked at.
fn between(
    journal: &Journal,
    key: &StateKey,
    begin: Anchor,
    last: Anchor,
    limit: usize,
) -> Result<Result<Vec<HistoryRow>, Break>, Damage> {
    let (mut audit, mut before) = (Audit::new(key, begin), begin);
    let (mut rows, mut bytes) = (Vec::new(), 0);
    for extent in journal.extents_forward()? {
        let line = journal.line(&extent)?;
        if line.entry.sequence <= begin.sequence {
            continue;
        }
        let is_full = rows.len() >= limit.max(1) || bytes >= MAX_BYTES;
        if line.entry.sequence > last.sequence || (is_full && line.entry.begins_anew()) {
            break;
        }
        if let Err(broken) = audit.check(&line.entry, line.hash) {
            return Ok(Err(broken));
        }
        bytes += line.entry.content.len();
        let row = HistoryRow { previous: before.hash, hash: line.hash, entry: line.entry };
        before = row.place();
        rows.push(row);
    }
    Ok(Ok(rows))
}

/// The keys of a user's folder that have a journal.
fn with_journals(root: &Folder, user_name: &str) -> io::Result<Vec<StateKey>> {
    let Some(user) = root.open_if_folder(user_name)? else { return Ok(Vec::new()) };
    let mut keys = Vec::new();
    for name in user.names()? {
        let Some(own) = user.open_if_folder(&name)? else { continue };
        let Some(journal) = Journal::open(&own, JOURNAL)? else { continue };
        keys.extend(journal.key()?.filter(|key| {
            names::folder_name(key.user_id()) == user_name
                && names::folder_name(key.session_id()) == name
        }));
    }
    Ok(keys)
}
