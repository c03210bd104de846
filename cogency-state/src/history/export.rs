//! Entries on their way into an archive.

use super::audit::{Audit, Break};
use super::digest::HistoryHash;
use super::entry::Entry;
use super::head::Anchor;
use super::row::HistoryRow;
use crate::key::StateKey;

/// No more than this is held at once, but for what belongs together.
const MAX_BYTES: usize = 16 << 20;

/// Entries for an archive; each is looked at.
pub(crate) struct Export<'k> {
    audit: Audit<'k>,
    before: Anchor,
    limit: usize,
    bytes: usize,
    rows: Vec<HistoryRow>,
}

impl<'k> Export<'k> {
    /// Of entries behind this one; about so many.
    pub(crate) fn new(key: &'k StateKey, begin: Anchor, limit: usize) -> Self {
        let audit = Audit::new(key, begin);
        Self { audit, before: begin, limit: limit.max(1), bytes: 0, rows: Vec::new() }
    }

    /// Where the next entry has to stand.
    pub(crate) fn next(&self) -> u64 {
        self.audit.next()
    }

    /// Takes the next entry; `false` if there is no room for it, and all of its own that a rebuild
    /// of others needs is there.
    pub(crate) fn take(&mut self, entry: Entry, hash: HistoryHash) -> Result<bool, Break> {
        let is_full = self.rows.len() >= self.limit || self.bytes >= MAX_BYTES;
        if is_full && entry.begins_anew() {
            return Ok(false);
        }
        self.audit.check(&entry, hash)?;
        self.bytes += entry.content.len();
        let row = HistoryRow { previous: self.before.hash, hash, entry };
        self.before = row.place();
        self.rows.push(row);
        Ok(true)
    }

    pub(crate) fn finish(self) -> Vec<HistoryRow> {
        self.rows
    }
}
