//! A journal without the lines that need not stay.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::time::Duration;

use super::append::{Added, NotAdded};
use super::damage::Damage;
use super::look::Standing;
use super::trailer::Trailer;
use super::walk::Extent;
use super::{JOURNAL, Journal};
use crate::backend::file::temp::{self, NotPut};
use crate::disk::folder::Folder;
use crate::history::{Anchor, Head, Kind, Next, Origin, Retention};
use crate::key::StateKey;

/// Less is not worth the writing of a new file.
const MIN_GAIN: u64 = 8 << 10;

/// Where a journal is to begin anew.
pub(in crate::backend::file) struct Cut {
    /// What stays.
    kept: Vec<Extent>,
    /// The last entry that goes.
    pub(in crate::backend::file) anchor: Anchor,
    /// The last that went before.
    pub(in crate::backend::file) before: Anchor,
}

impl Journal {
    /// Where it can be cut so that all stays that has to. `None` if nothing can go.
    ///
    /// An entry that a rebuild begins with is the first that stays.
    pub(in crate::backend::file) fn cut(
        &self,
        retention: Retention,
        now: u64,
    ) -> Result<Option<Cut>, Damage> {
        let extents = self.extents_forward()?;
        let Some(oldest) = oldest_to_stay(&extents, retention, now) else { return Ok(None) };
        let Some(trailer) = extents.get(oldest).and_then(|extent| extent.trailer) else {
            return Ok(None);
        };
        self.cut_at(extents, trailer.needs)
    }

    /// The cut before the line that starts at a place.
    fn cut_at(&self, mut extents: Vec<Extent>, place: u64) -> Result<Option<Cut>, Damage> {
        let Some(first) = extents.iter().position(|extent| extent.starts == place) else {
            return Ok(None);
        };
        let before = self.pruned()?;
        let kept = extents.split_off(first);
        let Some(begin) = kept.first().filter(|_| !extents.is_empty()) else { return Ok(None) };
        let line = self.line(begin)?;
        let Some(hash) = line.previous else { return Ok(None) };
        let anchor = Anchor { sequence: line.entry.sequence.saturating_sub(1), hash };
        Ok(Some(Cut { kept, anchor, before }))
    }

    /// The cut behind an entry, if it is there and what follows it begins anew.
    pub(in crate::backend::file) fn cut_behind(&self, last: Anchor) -> Result<Option<Cut>, Damage> {
        let extents = self.extents_forward()?;
        for pair in extents.windows(2) {
            let [this, next] = pair else { continue };
            let line = self.line(this)?;
            if line.entry.sequence == last.sequence {
                let begins = next.trailer.is_some_and(|trailer| trailer.needs == next.starts);
                let starts = next.starts;
                return if begins && line.hash == last.hash {
                    self.cut_at(extents, starts)
                } else {
                    Ok(None)
                };
            }
        }
        Ok(None)
    }

    /// The last entry that was pruned: what the first line continues.
    pub(in crate::backend::file) fn pruned(&self) -> Result<Anchor, Damage> {
        let mut first = Extent { starts: 0, end: 0, trailer: None };
        for extent in self.extents()? {
            first = extent?;
        }
        let line = self.line(&first)?;
        let none = || Damage::at(0, "it does not say what stood before it");
        let hash = line.previous.ok_or_else(none)?;
        Ok(Anchor { sequence: line.entry.sequence.saturating_sub(1), hash })
    }

    /// Whether a cut that was put off is due, and when to look again if not. What goes is to be half as
    /// much as what stays, so that each byte is written anew twice at most, more or less.
    pub(in crate::backend::file) fn is_due(cut: &Cut, end: u64) -> Result<(), u64> {
        let goes = cut.kept.first().map_or(0, |extent| extent.starts);
        let stays = end.saturating_sub(goes);
        if goes >= (stays / 2).max(MIN_GAIN) { Ok(()) } else { Err(look_again(goes, stays, end)) }
    }

    /// Writes what stays into a new journal, with the entry of the pruning behind it. It appears
    /// whole: whoever looks sees all of the old one or all of the new.
    pub(in crate::backend::file) fn compact(
        &self,
        key: &StateKey,
        folder: &Folder,
        standing: &Standing,
        cut: &Cut,
        origin: Origin<'_>,
    ) -> Result<Standing, NotAdded> {
        let shift = cut.kept.first().map_or(0, |extent| extent.starts);
        let head = Head { pruned: cut.before, ..standing.head.clone() };
        let next = Next::prune(&head, key, cut.anchor, origin);
        let (record, expires_at) = (standing.record.clone(), standing.expires_at);
        let added = Added { next, record, expires_at };
        let end = standing.end - shift;
        let line = added.line(key, &head, end, standing.needs.saturating_sub(shift));
        let (line, needs) = line.map_err(NotAdded::Failed)?;
        let written = temp::put_durably(folder, JOURNAL, |file| {
            self.copy(&cut.kept, shift, file)?;
            file.write_all(&line)
        });
        let file = written.map_err(|error| match error {
            NotPut::Failed(error) => NotAdded::Failed(error),
            NotPut::Unsure(error) => NotAdded::Unsure(error),
        })?;
        added.stood(&file, end + line.len() as u64, needs)
    }

    /// Writes all of it anew.
    pub(in crate::backend::file) fn renew(&self, folder: &Folder) -> io::Result<()> {
        let failed = |damage: Damage| match damage {
            Damage::Failed(error) => error,
            _ => io::Error::other("the journal is damaged"),
        };
        let lines = self.extents_forward().map_err(failed)?;
        let written = temp::put_durably(folder, JOURNAL, |file| self.copy(&lines, 0, file));
        match written {
            Ok(_) => Ok(()),
            Err(NotPut::Failed(error) | NotPut::Unsure(error)) => Err(error),
        }
    }

    /// Lines at other places say so.
    fn copy(&self, kept: &[Extent], shift: u64, file: &mut File) -> io::Result<()> {
        let mut file = BufWriter::new(file);
        for extent in kept {
            let line = self.read(extent.starts, extent.end)?;
            let is_damaged =
                || io::Error::other("a line of the journal that is to stay is damaged");
            let (trailer, length) = Trailer::parse(&line).ok_or_else(is_damaged)?;
            if !Trailer::is_intact(&line) {
                return Err(is_damaged());
            }
            let moved = Trailer {
                starts: trailer.starts.saturating_sub(shift),
                needs: trailer.needs.saturating_sub(shift),
                ..trailer
            };
            let mut text = line.slice(..line.len() - length).to_vec();
            moved.close(&mut text);
            file.write_all(&text)?;
        }
        file.flush()
    }
}

/// The oldest line whose version has to stay.
fn oldest_to_stay(extents: &[Extent], retention: Retention, now: u64) -> Option<usize> {
    let has = |extent: &Extent, kinds: &[Kind]| {
        extent.trailer.is_some_and(|trailer| kinds.contains(&trailer.kind))
    };
    match retention {
        Retention::All => None,
        Retention::Versions(versions) => {
            let older = usize::try_from(versions.max(1) - 1).unwrap_or(usize::MAX);
            let is_version = |at: &usize| {
                extents.get(*at).is_some_and(|e| has(e, &[Kind::Keyframe, Kind::Change]))
            };
            (0..extents.len()).rev().filter(is_version).nth(older)
        }
        Retention::Age(age) => {
            // A clock that was set back does not make entries younger.
            let newest = extents.iter().rev().find_map(|extent| extent.trailer);
            let now = newest.map_or(now, |newest| newest.at.max(now));
            let since = now.saturating_sub(micros(age));
            extents.iter().rposition(|extent| {
                let is_old = extent.trailer.is_some_and(|trailer| trailer.at <= since);
                is_old && has(extent, &[Kind::Keyframe, Kind::Change, Kind::Gone])
            })
        }
    }
}

/// The length from which another look is worth it, which costs a little for each line.
fn look_again(goes: u64, stays: u64, end: u64) -> u64 {
    end + (stays / 2).saturating_sub(goes).max(stays / 4).max(MIN_GAIN)
}

fn micros(age: Duration) -> u64 {
    u64::try_from(age.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(starts: u64, kind: Kind, at: u64) -> Extent {
        let (has_record, expires_at) = (kind != Kind::Gone, None);
        let trailer = Trailer { kind, at, has_record, expires_at, starts, needs: starts };
        Extent { starts, end: starts + 1, trailer: Some(trailer) }
    }

    /// What is erased has to go, whatever the clock says.
    #[test]
    fn behind_a_clock_that_was_set_back_all_before_the_newest_line_may_go() {
        let lines = [line(0, Kind::Keyframe, 1_000), line(1, Kind::Gone, 2_000)];
        let oldest = |age, now| oldest_to_stay(&lines, Retention::Age(age), now);
        assert_eq!(oldest(Duration::ZERO, 10), Some(1));
        assert_eq!(oldest(Duration::ZERO, 3_000), Some(1));
        assert_eq!(oldest(Duration::from_micros(500), 10), Some(0));
    }
}
