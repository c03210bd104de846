//! What is known of one key: the model.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use cogency_state::{Event, HistoryEntry, HistoryHash, Moment, Record, Retention, Write, WriteId};
use proptest::sample::Index;

use crate::step::Pick;

/// What is known of one key.
#[derive(Default)]
pub(crate) struct Known {
    /// All that ever happened to the state, but for prunings.
    pub(crate) events: Vec<Happened>,
    /// The first of them that has to be there.
    pub(crate) due: usize,
    /// The first of them that is there.
    first: usize,
    /// What the backend told last, the oldest first.
    pub(crate) listed: Vec<HistoryEntry>,
    /// What was ever told, by its sequence number.
    told: BTreeMap<u64, HistoryHash>,
    pub(crate) record: Option<Record>,
    pub(crate) last_write: Option<Write>,
}

/// One event.
pub(crate) struct Happened {
    pub(crate) event: Event,
    pub(crate) id: Option<WriteId>,
    /// The state that it left.
    pub(crate) left: Option<Record>,
}

impl Known {
    pub(crate) fn saved(&mut self, event: Event, record: Record) {
        let id = Some(record.revision.write_id);
        self.record = Some(record.clone());
        self.events.push(Happened { event, id, left: Some(record) });
    }

    pub(crate) fn gone(&mut self, event: Event) {
        self.record = None;
        self.events.push(Happened { event, id: None, left: None });
    }

    /// From now on less has to stay.
    pub(crate) fn prune(&mut self, stays: Retention) {
        let states = self.events.iter().enumerate().filter(|(_, event)| event.left.is_some());
        let due = match stays {
            Retention::Versions(versions) => {
                let newer = usize::try_from(versions.max(1)).unwrap() - 1;
                states.rev().map(|(at, _)| at).nth(newer)
            }
            Retention::Age(Duration::ZERO) => self.events.len().checked_sub(1),
            _ => None,
        };
        self.due = self.due.max(due.unwrap_or(0));
    }

    /// Takes what the backend tells, which has to be what happened: all from some event on.
    pub(crate) fn listed(&mut self, listed: Vec<HistoryEntry>) {
        for (entry, next) in listed.iter().zip(listed.iter().skip(1)) {
            assert_eq!(entry.sequence + 1, next.sequence, "there is a gap");
            assert!(entry.at < next.at, "{entry:?} is not earlier than {next:?}");
        }
        for entry in &listed {
            let told = *self.told.entry(entry.sequence).or_insert(entry.hash);
            assert_eq!(told, entry.hash, "{entry:?} was another");
        }
        let newest = listed.last().map_or(0, |entry| entry.sequence);
        assert_eq!(newest, self.told.keys().next_back().copied().unwrap_or(0));
        let events: Vec<_> = listed.iter().filter(|entry| entry.event != Event::Prune).collect();
        let first = self.events.len().checked_sub(events.len()).expect("more than what happened");
        assert!(first <= self.due, "what has to stay is gone: {first}, due is {}", self.due);
        assert!(first >= self.first, "what was gone is back");
        for (entry, happened) in events.iter().zip(&self.events[first..]) {
            assert_eq!(entry.event, happened.event, "{entry:?}");
            assert!(happened.id.is_none() || entry.write_id == happened.id, "{entry:?}");
            let left = happened.left.as_ref();
            assert_eq!(entry.size, left.map_or(0, |left| left.state.len() as u64), "{entry:?}");
            if let Some(left) = left {
                assert_eq!(entry.version, left.revision.version, "{entry:?}");
            }
        }
        (self.first, self.listed) = (first, listed);
    }

    /// How many entries went, up to now.
    pub(crate) fn removed(&self) -> u64 {
        self.listed.first().map_or(0, |first| first.sequence - 1)
    }

    /// One of the moments that were.
    pub(crate) fn moment(&self, pick: &Pick) -> Moment {
        let entry = |index: &Index| {
            let count = self.listed.len() + usize::try_from(self.removed()).unwrap();
            index.index(count.max(1)) as u64 + 1
        };
        match pick {
            Pick::Version(index) => {
                let states: Vec<_> = self.events.iter().filter_map(|e| e.left.as_ref()).collect();
                let found = (!states.is_empty()).then(|| states[index.index(states.len())]);
                Moment::Version(found.map_or(1, |found| found.revision.version))
            }
            Pick::Entry(index) => Moment::Entry(entry(index)),
            Pick::Time(_) if self.listed.is_empty() => Moment::Time(SystemTime::now()),
            Pick::Time(index) => Moment::Time(self.listed[index.index(self.listed.len())].at),
            Pick::Before => Moment::Time(SystemTime::UNIX_EPOCH),
            Pick::Never => Moment::Version(1_000_000),
        }
    }

    /// What there was at a moment; `Err` if the history does not go there.
    pub(crate) fn at(&self, moment: Moment) -> Result<Option<&Record>, ()> {
        let mut events = self.events[self.first..].iter();
        let (mut left, mut found) = (None, Err(()));
        if matches!(moment, Moment::Time(_)) && self.removed() == 0 {
            found = Ok(None);
        }
        for entry in &self.listed {
            let is_note = entry.event == Event::Prune;
            if !is_note {
                left = events.next().unwrap().left.as_ref();
            }
            let is_meant = match moment {
                Moment::Version(version) => {
                    !is_note && left.is_some_and(|left| left.revision.version == version)
                }
                Moment::Entry(sequence) => entry.sequence == sequence,
                Moment::Time(time) => !is_note && entry.at <= time,
                other => panic!("{other:?}"),
            };
            if is_meant {
                found = Ok(left);
            }
        }
        found
    }
}
