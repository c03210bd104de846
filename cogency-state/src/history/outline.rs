//! Which entry is meant, and which may go: decided by what is known of each entry without its
//! content.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::entry::{Entry, Kind};
use super::moment::Moment;
use super::retention::Retention;

/// What has to be known of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    pub(crate) sequence: u64,
    pub(crate) kind: Kind,
    pub(crate) version: u64,
    /// In microseconds since 1970.
    pub(crate) at: u64,
}

/// Those of all entries that are kept, in order.
#[derive(Debug)]
pub(crate) struct Outlines(pub(crate) Vec<Outline>);

impl Outlines {
    /// The entry that left what was there at a moment.
    pub(crate) fn of_moment(&self, moment: Moment) -> Option<u64> {
        match moment {
            Moment::Entry(sequence) => self.newest(|entry| entry.sequence == sequence),
            Moment::Version(version) => {
                self.newest(|entry| entry.kind.has_state() && entry.version == version)
            }
            Moment::Time(time) => self.of_time(micros(time)),
        }
    }

    /// Where the rebuild of what an entry left begins.
    pub(crate) fn keyframe(&self, sequence: u64) -> Option<u64> {
        self.newest(|entry| entry.sequence <= sequence && entry.kind.begins_anew())
    }

    /// The last entry that need not stay, if one is there.
    pub(crate) fn last_to_go(&self, stays: Retention, now: u64) -> Option<u64> {
        let oldest = match stays {
            Retention::All => None,
            Retention::Versions(versions) => self.of_rank(versions.max(1) - 1),
            Retention::Age(age) => self.of_time(now.saturating_sub(in_micros(age))),
        };
        let last = self.keyframe(oldest?)?.saturating_sub(1);
        self.0.first().filter(|first| first.sequence <= last).map(|_| last)
    }

    /// Whether what follows an entry can be rebuilt without it.
    pub(crate) fn may_end_at(&self, sequence: u64) -> bool {
        let next = self.0.iter().find(|entry| entry.sequence > sequence);
        next.is_some_and(|next| {
            next.sequence == sequence.saturating_add(1) && next.kind.begins_anew()
        })
    }

    /// The version that so many are newer than.
    fn of_rank(&self, newer: u64) -> Option<u64> {
        let versions = self.0.iter().rev().filter(|entry| entry.kind.has_state());
        versions.skip(usize::try_from(newer).ok()?).map(|entry| entry.sequence).next()
    }

    fn of_time(&self, time: u64) -> Option<u64> {
        self.newest(|entry| entry.kind != Kind::Note && entry.at <= time)
    }

    fn newest(&self, is_meant: impl Fn(&Outline) -> bool) -> Option<u64> {
        self.0.iter().rfind(|entry| is_meant(entry)).map(|entry| entry.sequence)
    }
}

impl Entry {
    pub(crate) fn outline(&self) -> Outline {
        let Self { sequence, kind, version, at, .. } = *self;
        Outline { sequence, kind, version, at }
    }
}

/// A time in microseconds since 1970, at most in the year 9999: the last that a database can write.
pub(crate) fn micros(time: SystemTime) -> u64 {
    in_micros(time.duration_since(UNIX_EPOCH).unwrap_or_default()).min(253_402_300_799_000_000)
}

/// A duration in microseconds.
pub(crate) fn in_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
