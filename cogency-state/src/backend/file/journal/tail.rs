//! The last whole line of a file, and what a power cut left behind it.

use std::io;

use bytes::Bytes;

use super::damage::Damage;
use super::trailer::{MAX_LENGTH, Trailer};
use super::{Journal, to_usize};

/// So much is read at first: most of what is needed in most cases.
const FIRST_LOOK: u64 = 16 << 10;
/// What a disk writes as a whole.
const SECTOR: u64 = 512;

/// The end of a file, as much of it as was read.
pub(super) struct Tail<'j> {
    journal: &'j Journal,
    /// Where the bytes begin in the file.
    from: u64,
    bytes: Bytes,
    /// Behind the last whole line.
    pub(super) end: u64,
    /// Behind whatever stands there.
    pub(super) length: u64,
}

impl<'j> Tail<'j> {
    /// Finds the last whole line.
    pub(super) fn find(journal: &'j Journal, length: u64) -> Result<Self, Damage> {
        let from = length.saturating_sub(FIRST_LOOK);
        let bytes = journal.read(from, length)?;
        let length = from + bytes.len() as u64;
        let mut tail = Self { journal, from, bytes, end: length, length };
        tail.end = tail.line_break_before(length)?;
        tail.is_a_part_of_a_line()?;
        while tail.end > 0 && tail.last_is_torn()? {
            tail.end = tail.line_break_before(tail.end - 1)?;
        }
        if tail.end == 0 {
            return Err(Damage::at(0, "it is not whole"));
        }
        Ok(tail)
    }

    /// The trailer of the last whole line.
    pub(super) fn trailer(&mut self) -> Result<Trailer, Damage> {
        let from = self.end.saturating_sub(MAX_LENGTH as u64);
        let end = self.between(from, self.end)?;
        match Trailer::parse(&end) {
            Some((trailer, _)) => Ok(trailer),
            None => Err(Damage::at(self.line_break_before(self.end - 1)?, "it is not one")),
        }
    }

    /// What stands between two places before the end.
    pub(super) fn between(&mut self, from: u64, to: u64) -> io::Result<Bytes> {
        self.reach(from)?;
        let range = to_usize(from - self.from)..to_usize(to - self.from);
        let is_there = range.start <= range.end && range.end <= self.bytes.len();
        Ok(if is_there { self.bytes.slice(range) } else { Bytes::new() })
    }

    /// Reads from a place on, if that was not read.
    fn reach(&mut self, from: u64) -> io::Result<()> {
        if from < self.from {
            self.bytes = self.journal.read(from, self.from + self.bytes.len() as u64)?;
            self.from = from;
        }
        Ok(())
    }

    /// The place behind the last line break before a place; 0 if there is none.
    fn line_break_before(&mut self, place: u64) -> io::Result<u64> {
        loop {
            let read = self.between(self.from, place.max(self.from))?;
            if let Some(found) = read.iter().rposition(|byte| *byte == b'\n') {
                return Ok(self.from + found as u64 + 1);
            }
            if self.from == 0 {
                return Ok(0);
            }
            let more = (self.bytes.len() as u64).max(FIRST_LOOK);
            self.reach(self.from.saturating_sub(more))?;
        }
    }

    /// A whole line that ends in something else than its line break was damaged since.
    fn is_a_part_of_a_line(&mut self) -> Result<(), Damage> {
        let rest = self.between(self.end, self.length)?;
        let mut line = rest.to_vec();
        match line.last_mut() {
            None | Some(0) => return Ok(()),
            Some(last) => *last = b'\n',
        }
        if Trailer::parse(&line).is_some() && Trailer::is_intact(&line) {
            return Err(Damage::at(self.end, "it has no end"));
        }
        Ok(())
    }

    /// Whether a part of the last line never reached the disk: it reads as zeros there, whole
    /// sectors of them. A line that is what was written has none.
    fn last_is_torn(&mut self) -> io::Result<bool> {
        let from = self.end.saturating_sub(MAX_LENGTH as u64);
        let trailer = Trailer::parse(&self.between(from, self.end)?);
        let starts = match trailer {
            Some((trailer, _)) if trailer.starts < self.end => trailer.starts,
            _ => self.line_break_before(self.end - 1)?,
        };
        let line = self.between(starts, self.end)?;
        if trailer.is_some() && Trailer::is_intact(&line) {
            return Ok(false);
        }
        let mut from = 0;
        while from < line.len() {
            let place = starts + from as u64;
            let to = (from + to_usize(SECTOR - place % SECTOR)).min(line.len());
            if line.get(from..to).is_some_and(|sector| sector.iter().all(|byte| *byte == 0)) {
                return Ok(true);
            }
            from = to;
        }
        Ok(false)
    }
}
