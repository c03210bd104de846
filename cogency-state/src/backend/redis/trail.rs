//! What whoever saves remembers of a history: enough to prune it without reading it.

use std::collections::VecDeque;
use std::time::Duration;

use super::entry::Written;
use crate::history::{Anchor, Retention, in_micros};

/// So many segments are remembered. Where more have to stay the history is read.
const MAX_SEGMENTS: usize = 64;

/// The newest segments of a history, up to an entry.
#[derive(Clone, Debug)]
pub(super) struct Trail {
    /// The entry that it leads to.
    end: Anchor,
    segments: VecDeque<Segment>,
}

/// Entries that need nothing before them.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// The entry before the first of them.
    before: Anchor,
    /// When the first was written, in microseconds since 1970.
    at: u64,
    /// How many versions they are.
    versions: u64,
}

impl Default for Trail {
    fn default() -> Self {
        Self { end: Anchor::NONE, segments: VecDeque::new() }
    }
}

impl Trail {
    /// Goes on with an entry that was written.
    pub(super) fn follow(&mut self, written: &Written) {
        let Written { previous, kind, standing, .. } = written;
        if self.end != *previous {
            // Somebody else wrote what lies between.
            self.segments.clear();
        }
        self.end = standing.head.place();
        if kind.begins_anew() {
            if self.segments.len() == MAX_SEGMENTS {
                self.segments.pop_front();
            }
            self.segments.push_back(Segment {
                before: *previous,
                at: standing.head.at,
                versions: 0,
            });
        }
        if let Some(last) = self.segments.back_mut().filter(|_| kind.has_state()) {
            last.versions += 1;
        }
    }

    /// The last entry of a history that need not stay, which may be gone already; `None` if that
    /// is not known of one that ends so.
    pub(super) fn last_to_go(&self, end: Anchor, stays: Retention, now: u64) -> Option<Anchor> {
        let oldest = match stays {
            Retention::All => None,
            Retention::Versions(versions) => self.of_rank(versions.max(1)),
            Retention::Age(age) => self.of_age(age, now),
        };
        oldest.filter(|_| self.end == end).map(|oldest| oldest.before)
    }

    /// The segment that has the version of this rank, of which the newest has 1.
    fn of_rank(&self, rank: u64) -> Option<&Segment> {
        let mut versions = 0;
        self.segments.iter().rev().find(|segment| {
            versions += segment.versions;
            versions >= rank
        })
    }

    /// The segment that was the newest so long ago.
    fn of_age(&self, age: Duration, now: u64) -> Option<&Segment> {
        let then = now.saturating_sub(in_micros(age));
        self.segments.iter().rev().find(|segment| segment.at <= then)
    }
}
