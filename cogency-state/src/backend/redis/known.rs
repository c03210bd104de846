//! Records that this process has, so that the server need not send large ones again, and small
//! ones need not be read again.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use lru::LruCache;

use super::entry::Written;
use super::request::INLINE_BYTES;
use super::standing::Stands;
use super::trail::Trail;
use crate::envelope::in_history::Place;
use crate::history::{Anchor, Entry, Event, Kind, Origin, Retention};
use crate::key::StateKey;
use crate::record::{Record, Revision};

/// At most this many, each of which takes some memory besides its bytes.
const MAX_RECORDS: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// The records that were loaded or saved last.
pub(super) struct Known {
    inner: Mutex<Inner>,
    max_bytes: usize,
}

struct Inner {
    records: LruCache<StateKey, KnownRecord>,
    bytes: usize,
}

/// What may be known of a record besides.
#[derive(Clone, Default)]
pub(super) struct More {
    /// The entry of its save.
    pub(super) entry: Option<u64>,
    /// Where its history stood.
    pub(super) stands: Stands,
    /// Whether it never expires.
    pub(super) is_immortal: bool,
    /// Whether others save it too, so that it is seldom what is known.
    pub(super) is_shared: bool,
}

/// A record, and what tells that a value is its.
#[derive(Clone)]
pub(super) struct KnownRecord {
    pub(super) record: Record,
    /// How its value begins, as no other record's does.
    pub(super) beginning: Bytes,
    /// The length of its value.
    length: usize,
    /// The value of a small one: it is sent again, so that all of it can be compared.
    value: Option<Bytes>,
    more: More,
    trail: Trail,
}

impl KnownRecord {
    pub(super) fn new(record: Record, beginning: Bytes, value: &Bytes) -> Self {
        let is_small = value.len() <= INLINE_BYTES;
        Self {
            record,
            beginning,
            length: value.len(),
            value: is_small.then(|| value.clone()),
            more: More::default(),
            trail: Trail::default(),
        }
    }

    /// The same, where more is known.
    pub(super) fn with(self, more: More) -> Self {
        Self { more, ..self }
    }

    /// The same, at the end of a trail.
    pub(super) fn behind(self, trail: Trail) -> Self {
        Self { trail, ..self }
    }

    pub(super) fn more(&self) -> &More {
        &self.more
    }

    /// Its state as the entry that a rebuild begins with, where that is of use for this place.
    pub(super) fn before(&self, place: Place) -> Option<Entry> {
        let is_of_use = |entry: &u64| (place.keyframe..place.entry).contains(entry);
        let sequence = self.more.entry.filter(is_of_use)?;
        let nobody = Origin { at: 0, process: 0, host: "" };
        let entry = Entry::bare(sequence, &Event::Save, String::new(), nobody);
        Some(Entry { kind: Kind::Keyframe, content: self.record.state.clone(), ..entry })
    }

    /// How much memory it takes, more or less.
    fn bytes(&self) -> usize {
        self.length.max(self.record.state.len())
    }

    /// Whether it is not sent again.
    pub(super) fn is_large(&self) -> bool {
        self.value.is_none()
    }

    /// Whether it is the record of a value, of which so much was sent: all of a small one; of a
    /// large one how it begins, and its length.
    pub(super) fn is(&self, sent: &[u8], length: Option<i64>) -> bool {
        if let Some(value) = &self.value {
            return value == sent;
        }
        let length = length.and_then(|length| usize::try_from(length).ok());
        length == Some(self.length) && self.beginning == sent
    }
}

impl Known {
    pub(super) fn new(max_bytes: usize) -> Self {
        let inner = Inner { records: LruCache::new(MAX_RECORDS), bytes: 0 };
        Self { inner: Mutex::new(inner), max_bytes }
    }

    pub(super) fn get(&self, key: &StateKey) -> Option<KnownRecord> {
        self.lock().records.get(key).cloned()
    }

    /// How the value of a revision begins, if that is what is known of a key.
    pub(super) fn beginning_of(&self, key: &StateKey, revision: Revision) -> Option<Bytes> {
        self.of_revision(key, revision, |known| known.beginning.clone())
    }

    /// The state of a revision, likewise.
    pub(super) fn state_of(&self, key: &StateKey, revision: Revision) -> Option<Bytes> {
        self.of_revision(key, revision, |known| known.record.state.clone())
    }

    fn of_revision<R>(
        &self,
        key: &StateKey,
        revision: Revision,
        look: impl FnOnce(&KnownRecord) -> R,
    ) -> Option<R> {
        let mut inner = self.lock();
        inner.records.get(key).filter(|known| known.record.revision == revision).map(look)
    }

    pub(super) fn put(&self, known: KnownRecord) {
        let bytes = known.bytes();
        if bytes > self.max_bytes {
            return self.remove(&known.record.key);
        }
        let mut inner = self.lock();
        inner.bytes += bytes;
        if let Some((_, replaced)) = inner.records.push(known.record.key.clone(), known) {
            inner.bytes -= replaced.bytes();
        }
        while inner.bytes > self.max_bytes {
            let Some((_, oldest)) = inner.records.pop_lru() else { break };
            inner.bytes -= oldest.bytes();
        }
    }

    /// The trail of what was written to a key's history. It is not known any more then.
    pub(super) fn take_trail(&self, key: &StateKey) -> Trail {
        let mut inner = self.lock();
        inner
            .records
            .peek_mut(key)
            .map(|known| std::mem::take(&mut known.trail))
            .unwrap_or_default()
    }

    /// The last entry of a history that need not stay, if that is known of one that ends so.
    pub(super) fn last_to_go(
        &self,
        key: &StateKey,
        end: Anchor,
        stays: Retention,
        now: u64,
    ) -> Option<Anchor> {
        self.lock().records.peek(key)?.trail.last_to_go(end, stays, now)
    }

    /// What was written to the history of a record, which it left as it was.
    pub(super) fn noted(&self, key: &StateKey, written: &Written) {
        let mut inner = self.lock();
        let known = inner.records.peek_mut(key);
        let is_its = |known: &&mut KnownRecord| {
            known.record.revision.write_id.to_string() == written.standing.head.write_id
        };
        if let Some(known) = known.filter(is_its) {
            known.more.stands = Stands::At(written.standing.clone());
            known.trail.follow(written);
        }
    }

    pub(super) fn remove(&self, key: &StateKey) {
        let mut inner = self.lock();
        if let Some(removed) = inner.records.pop(key) {
            inner.bytes -= removed.bytes();
        }
    }

    /// No code that can panic runs under the lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// States are private.
impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}
