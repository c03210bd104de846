//! What is under a key, and where its history stands: the last rebuild of its journal.

use std::time::SystemTime;

use bytes::Bytes;

use super::damage::Damage;
use super::line::Line;
use super::tail::Tail;
use super::trailer::Trailer;
use super::{Journal, to_usize};
use crate::backend::file::fingerprint::Fingerprint;
use crate::expires_at::ExpiresAt;
use crate::history::{Anchor, Break, Entry, Head, HistoryHash, rebuild};
use crate::key::StateKey;
use crate::record::{Record, Revision, SCHEMA_VERSION};

/// What a journal said when it was last looked at.
#[derive(Clone, Debug)]
pub(in crate::backend::file) struct Standing {
    pub(in crate::backend::file) fingerprint: Fingerprint,
    /// Behind the last whole line.
    pub(in crate::backend::file) end: u64,
    /// What was pruned is not known here.
    pub(in crate::backend::file) head: Head,
    /// Where the line starts that the newest rebuild begins with.
    pub(in crate::backend::file) needs: u64,
    /// `None` if the state is gone.
    pub(in crate::backend::file) record: Option<Record>,
    pub(in crate::backend::file) expires_at: Option<ExpiresAt>,
    /// Whether all of it is known to be on the disk.
    pub(in crate::backend::file) is_durable: bool,
    /// Whether the name of the file is known to survive a power cut.
    pub(in crate::backend::file) is_named: bool,
    /// Below this length nothing is to be gained by leaving out what need not stay.
    pub(in crate::backend::file) compact_at: u64,
}

impl Standing {
    /// Whether something stands behind the last whole line.
    pub(in crate::backend::file) fn is_torn(&self) -> bool {
        self.fingerprint.length() > self.end
    }

    /// Whether its record had expired at a moment.
    pub(in crate::backend::file) fn is_over(&self, moment: SystemTime) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at.is_over(moment))
    }

    /// The record, unless it had expired at a moment.
    pub(in crate::backend::file) fn record_at(&self, moment: SystemTime) -> Option<&Record> {
        self.record.as_ref().filter(|_| !self.is_over(moment))
    }

    pub(in crate::backend::file) fn revision_at(&self, moment: SystemTime) -> Option<Revision> {
        self.record_at(moment).map(|record| record.revision)
    }
}

impl Journal {
    /// Reads what is under a key.
    pub(in crate::backend::file) fn look(&self, key: &StateKey) -> Result<Standing, Damage> {
        let fingerprint = self.fingerprint()?;
        let mut tail = Tail::find(self, fingerprint.length())?;
        let trailer = tail.trailer()?;
        if trailer.needs > trailer.starts {
            return Err(Damage::at(trailer.starts, "its fields do not fit each other"));
        }
        let (needs, end) = (trailer.needs, tail.end);
        // What was cut off since this look began is no part of it.
        let fingerprint = fingerprint.with_length(tail.length);
        let lines = lines(&tail.between(needs, end)?, needs)?;
        Self::standing(key, &lines, fingerprint, needs, end)
    }

    fn standing(
        key: &StateKey,
        lines: &[Line],
        fingerprint: Fingerprint,
        needs: u64,
        end: u64,
    ) -> Result<Standing, Damage> {
        let broken = |reason: &str| Damage::at(needs, reason);
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
            return Err(broken("it is missing"));
        };
        match &first.key {
            Some(of) if of == key => {}
            Some(other) => return Err(broken(&format!("it is of the journal of {other}"))),
            None => return Err(broken("it does not say whose it is")),
        }
        let before = Anchor {
            sequence: first.entry.sequence.saturating_sub(1),
            hash: first.previous.unwrap_or(HistoryHash::ZERO),
        };
        let head =
            lines.iter().fold(Head::empty(before), |head, line| head.after(&line.entry, line.hash));
        let entries: Vec<Entry> = lines.iter().map(|line| line.entry.clone()).collect();
        let record = record(key, &entries).map_err(|unreadable| unreadable.at(needs))?;
        let expires_at = last.expires_at().filter(|_| record.is_some());
        Ok(Standing {
            fingerprint,
            end,
            head,
            needs,
            record,
            expires_at,
            is_durable: false,
            is_named: false,
            compact_at: 0,
        })
    }
}

/// The lines in what was read from a place on, each of which is needed.
fn lines(bytes: &Bytes, from: u64) -> Result<Vec<Line>, Damage> {
    let (mut lines, mut end) = (Vec::new(), bytes.len());
    while end > 0 {
        let rest = bytes.slice(..end);
        let place = Trailer::parse(&rest).map(|(trailer, _)| trailer.starts);
        let Some(starts) = place.filter(|at| *at >= from && to_usize(at - from) < end) else {
            let starts = rest.iter().rev().skip(1).position(|byte| *byte == b'\n');
            let starts = from + starts.map_or(0, |behind| end - 1 - behind) as u64;
            return Err(Damage::at(starts, "it is not what was written"));
        };
        let at = to_usize(starts - from);
        lines.push(Line::decode(&bytes.slice(at..end), starts)?);
        end = at;
    }
    lines.reverse();
    Ok(lines)
}

/// The record that the last of these entries left.
fn record(key: &StateKey, entries: &[Entry]) -> Result<Option<Record>, Unreadable> {
    let state = rebuild(entries).map_err(|Break { reason, .. }| Unreadable::Broken(reason))?;
    let newest = entries.iter().rfind(|entry| entry.has_state());
    let (Some(state), Some(newest)) = (state, newest) else { return Ok(None) };
    match newest.schema_version.as_deref() {
        Some(SCHEMA_VERSION) => {}
        Some(other) => return Err(Unreadable::SchemaVersion(other.to_owned())),
        None => return Err(Unreadable::Broken("it has no schema version")),
    }
    newest.record(key, state).map(Some).map_err(Unreadable::Broken)
}

enum Unreadable {
    Broken(&'static str),
    SchemaVersion(String),
}

impl Unreadable {
    fn at(self, starts: u64) -> Damage {
        match self {
            Self::Broken(reason) => Damage::at(starts, reason),
            Self::SchemaVersion(found) => Damage::SchemaVersion(found),
        }
    }
}
