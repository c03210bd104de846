//! Where the history of a key stands.

use std::time::Duration;

use crate::history::{Anchor, Head, Next};

/// Where a history stands behind its newest entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) head: Head,
    /// The entry that the rebuild of the newest version begins with.
    pub(super) keyframe: u64,
    /// How many entries there are.
    pub(super) entries: u64,
}

impl Standing {
    /// Where it stands behind one more entry.
    pub(super) fn after(before: Option<&Self>, next: &Next) -> Self {
        let keyframe = match before {
            Some(before) if !next.entry.begins_anew() => before.keyframe,
            _ => next.entry.sequence,
        };
        let (entries, was_pruned) =
            before.map_or((0, 0), |before| (before.entries, before.head.pruned.sequence));
        let removed = next.head.pruned.sequence.saturating_sub(was_pruned);
        let entries = entries.saturating_sub(removed).saturating_add(1);
        Self { head: next.head.clone(), keyframe, entries }
    }

    /// Whether nothing stands before the entry that the newest rebuild begins with.
    pub(super) fn is_one_segment(&self) -> bool {
        self.keyframe <= self.head.pruned.sequence.saturating_add(1)
    }

    pub(super) fn pruned(&self) -> Option<Anchor> {
        Some(self.head.pruned).filter(|pruned| *pruned != Anchor::NONE)
    }
}

/// What is known of where a history stands.
#[derive(Clone, Debug, Default)]
pub(super) enum Stands {
    #[default]
    Unknown,
    /// There is no entry yet.
    Nowhere,
    At(Standing),
}

impl Stands {
    pub(super) fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }
}

impl From<Option<Standing>> for Stands {
    fn from(seen: Option<Standing>) -> Self {
        seen.map_or(Self::Nowhere, Self::At)
    }
}

/// A time of the server's, in microseconds since 1970, at a moment of ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    micros: u64,
    at: tokio::time::Instant,
}

impl Clock {
    pub(super) fn at(micros: u64) -> Self {
        Self { micros, at: tokio::time::Instant::now() }
    }

    pub(super) fn now(self) -> u64 {
        self.micros.saturating_add(whole_micros(self.at.elapsed()))
    }
}

fn whole_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
