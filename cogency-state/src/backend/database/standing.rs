//! Where the history of a key stands, as the holder of its lease knows it.

use std::sync::PoisonError;

use tokio::time::Instant;

use super::leases::Attempt;
use super::problem::Problem;
use super::row;
use super::statement::Cells;
use crate::history::{Anchor, Head, HistoryHash, Origin, Weight};

/// Where a history stands, and what time it is.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// `None` before there is any entry.
    pub(super) head: Option<Head>,
    /// The database's clock, in microseconds since 1970, at a moment of ours.
    clock: (u64, Instant),
}

impl Default for Standing {
    fn default() -> Self {
        Self { head: None, clock: (0, Instant::now()) }
    }
}

impl Standing {
    /// What time it is by the database's clock.
    pub(super) fn now(&self) -> u64 {
        let (then, at) = self.clock;
        then.saturating_add(u64::try_from(at.elapsed().as_micros()).unwrap_or(0))
    }
}

impl Attempt {
    pub(super) fn standing(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn stands(&self, standing: Standing) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }

    /// The head of the history is another now.
    pub(super) fn stands_at(&self, head: Head) {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).head = Some(head);
    }

    pub(super) fn origin(&self, at: u64) -> Origin<'_> {
        Origin { at, process: self.holder.process, host: &self.holder.host }
    }
}

/// What a row says, whose columns begin at `at`:
///
/// now, sequence number, hash, when, version, write id, checksum, bytes of the keyframe, bytes and
/// number of the changes, sequence number and hash up to which it was pruned
pub(super) fn of(row: &dyn Cells, at: usize) -> Result<Standing, Problem> {
    let clock = (number(row, at)?.unwrap_or(0), Instant::now());
    let Some(sequence) = number(row, at + 1)? else { return Ok(Standing { head: None, clock }) };
    let due = |number: Option<u64>| number.ok_or(Problem::Strange("a history without a number"));
    let pruned = number(row, at + 10)?.filter(|pruned| *pruned > 0);
    let head = Head {
        sequence,
        hash: hash(row, at + 2)?,
        at: due(number(row, at + 3)?)?,
        version: due(number(row, at + 4)?)?,
        write_id: row::text(row, at + 5)?.unwrap_or_default(),
        checksum: row::text(row, at + 6)?,
        weight: Weight {
            keyframe_bytes: due(number(row, at + 7)?)?,
            change_bytes: due(number(row, at + 8)?)?,
            changes: due(number(row, at + 9)?)?,
        },
        pruned: match pruned {
            None => Anchor::NONE,
            Some(sequence) => Anchor { sequence, hash: hash(row, at + 11)? },
        },
    };
    Ok(Standing { head: Some(head), clock })
}

/// A number that is not negative.
pub(super) fn number(row: &dyn Cells, column: usize) -> Result<Option<u64>, Problem> {
    let number = row.int(column)?.map(u64::try_from).transpose();
    number.map_err(|_| Problem::Strange("a number is negative"))
}

/// A hash.
pub(super) fn hash(row: &dyn Cells, column: usize) -> Result<HistoryHash, Problem> {
    let hash = row::text(row, column)?.and_then(|text| HistoryHash::parse(&text));
    hash.ok_or(Problem::Strange("a hash is none"))
}
