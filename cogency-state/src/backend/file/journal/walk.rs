//! All lines of a journal, also around those that are damaged.

use std::io;

use super::Journal;
use super::damage::Damage;
use super::line::Line;
use super::tail::Tail;
use super::trailer::{MAX_LENGTH, Trailer};
use crate::record::WriteId;

/// So much is read at once to find the beginning of a line that does not say it.
const LOOK_BACK: u64 = 64 << 10;

/// Where a line stands, and what its end says.
#[derive(Clone, Copy, Debug)]
pub(in crate::backend::file) struct Extent {
    pub(in crate::backend::file) starts: u64,
    pub(in crate::backend::file) end: u64,
    /// `None` where that is damaged.
    pub(in crate::backend::file) trailer: Option<Trailer>,
}

impl Journal {
    /// Goes through the lines, from the last whole one to the first. Contents are not read.
    pub(in crate::backend::file) fn extents(
        &self,
    ) -> Result<impl Iterator<Item = io::Result<Extent>>, Damage> {
        let mut end = Tail::find(self, self.fingerprint()?.length())?.end;
        Ok(std::iter::from_fn(move || {
            if end == 0 {
                return None;
            }
            let extent = self.extent_before(end);
            end = extent.as_ref().map_or(0, |extent| extent.starts);
            Some(extent)
        }))
    }

    /// Those that have to be gone through from the first to the last.
    pub(in crate::backend::file) fn extents_forward(&self) -> Result<Vec<Extent>, Damage> {
        let mut extents = self.extents()?.collect::<io::Result<Vec<_>>>()?;
        extents.reverse();
        Ok(extents)
    }

    /// Reads a line.
    pub(in crate::backend::file) fn line(&self, extent: &Extent) -> Result<Line, Damage> {
        Line::decode(&self.read(extent.starts, extent.end)?, extent.starts)
    }

    /// Whether a save with this id is in it.
    pub(in crate::backend::file) fn has(&self, write_id: WriteId) -> bool {
        let Ok(extents) = self.extents() else { return false };
        let write_id = write_id.to_string();
        let mut lines = extents.flatten().flat_map(|extent| self.line(&extent));
        lines.any(|line| line.entry.write_id == write_id)
    }

    fn extent_before(&self, end: u64) -> io::Result<Extent> {
        let tail = self.read(end.saturating_sub(MAX_LENGTH as u64), end)?;
        let trailer = Trailer::parse(&tail).map(|(trailer, _)| trailer);
        if let Some(trailer) = trailer
            && trailer.starts < end
            && (trailer.starts == 0 || *self.read(trailer.starts - 1, trailer.starts)? == *b"\n")
        {
            return Ok(Extent { starts: trailer.starts, end, trailer: Some(trailer) });
        }
        Ok(Extent { starts: self.line_break_before(end - 1)?, end, trailer: None })
    }

    /// The place behind the last line break before a place; 0 if there is none.
    fn line_break_before(&self, place: u64) -> io::Result<u64> {
        let mut to = place;
        while to > 0 {
            let from = to.saturating_sub(LOOK_BACK);
            if let Some(at) = self.read(from, to)?.iter().rposition(|byte| *byte == b'\n') {
                return Ok(from + at as u64 + 1);
            }
            to = from;
        }
        Ok(0)
    }
}
