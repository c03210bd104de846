//! What stands under a lease's key.
//!
//! ```text
//! 4e1b…e1 (36 bytes)   the attempt that took the lease: what fences
//! 91ab…07 (36 bytes)   the deletion that was done under it, or blanks
//! {"host":"a","pid":1} who has it, to the end
//! ```
//!
//! A record that would expire under the lease is kept by it. Whoever holds the lease remembers when
//! that was to be, and says so when giving it back; if they die, the record goes with the lease.
//!
//! So is its history, which goes with it.
//!
//! The key lives for the lease's time and another [`REMEMBERED`]: while more than that is left the
//! lease lasts, after that it counts until somebody else takes it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use super::keys::Names;
use super::standing::{Clock, Stands};
use crate::backend::Lease;
use crate::history::Origin;
use crate::holder::Holder;
use crate::key::StateKey;

/// How long a lease that nobody gave back is remembered. It counts for that long, unless somebody
/// else takes it.
pub(super) const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

const ID_BYTES: usize = 36;
const TIME_BYTES: usize = 16;
const BLANKS: [u8; ID_BYTES + TIME_BYTES] = [b' '; ID_BYTES + TIME_BYTES];

/// One attempt to take the lease on a record, by an id that no other has.
#[derive(Debug)]
pub(super) struct Attempt {
    id: String,
    names: Names,
    holder: Holder,
    expiry: Mutex<Expiry>,
    story: Mutex<Story>,
}

/// What whoever has the lease knows of the history.
#[derive(Debug)]
struct Story {
    clock: Clock,
    stands: Stands,
    /// Whether somebody else saved since this process did.
    is_shared: bool,
}

/// When the record would expire if the lease did not keep it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expiry {
    /// It stays anyway.
    Never,
    /// In milliseconds of the server's clock.
    At(i64),
    /// It was saved over, or may have been, since the lease was taken.
    Unknown,
}

impl Attempt {
    pub(super) fn new(names: Names, holder: &Holder) -> Self {
        let story = Story { clock: Clock::at(0), stands: Stands::Unknown, is_shared: false };
        Self {
            id: Uuid::new_v4().to_string(),
            names,
            holder: holder.clone(),
            expiry: Mutex::new(Expiry::Never),
            story: Mutex::new(story),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The record's key.
    pub(super) fn record(&self) -> &str {
        &self.names.record
    }

    /// The lease's key.
    pub(super) fn lease_name(&self) -> &str {
        &self.names.lease
    }

    /// The keys of the history.
    pub(super) fn history(&self) -> &str {
        &self.names.history
    }

    pub(super) fn contents(&self) -> &str {
        &self.names.contents
    }

    /// The lease's key, and the record's and its history's where a script is to see to these too:
    /// in a cluster, who names several waits while their slot moves.
    pub(super) fn keys(&self, with_record: bool) -> Vec<&str> {
        let Names { record, lease, history, contents } = &self.names;
        let all = [&**lease, record, history, contents];
        all.into_iter().take(if with_record { all.len() } else { 1 }).collect()
    }

    /// The value that takes the lease.
    pub(super) fn value(&self) -> Vec<u8> {
        let mut value = [self.id.as_bytes(), &BLANKS].concat();
        // A holder is numbers and a name: it is JSON in any case.
        value.extend(serde_json::to_vec(&self.holder).unwrap_or_default());
        value
    }

    /// Whether it is this attempt that has the lease.
    pub(super) fn has_taken(&self, value: &[u8]) -> bool {
        value.starts_with(self.id.as_bytes())
    }

    /// Keeps the record that was found.
    pub(super) fn keep(&self, expires: Option<i64>) {
        *self.lock() = expires.map_or(Expiry::Never, Expiry::At);
    }

    /// The time of the record before is not that of one that is saved over it.
    pub(super) fn saves(&self, has_ttl: bool) {
        let mut expiry = self.lock();
        if has_ttl || !matches!(*expiry, Expiry::Never) {
            *expiry = Expiry::Unknown;
        }
    }

    /// Whether the record, or one that was saved over, may expire.
    pub(super) fn is_mortal(&self) -> bool {
        !matches!(*self.lock(), Expiry::Never)
    }

    pub(super) fn expiry(&self) -> Expiry {
        *self.lock()
    }

    /// What was seen of the history when it was this time on the server.
    pub(super) fn saw(&self, micros: u64, stands: Stands) {
        *self.story() = Story { clock: Clock::at(micros), stands, is_shared: false };
    }

    /// Where the history stands, as far as that is known.
    pub(super) fn stands(&self) -> Stands {
        self.story().stands.clone()
    }

    /// The record is not the one that was known, and where the history stands may be that of the one
    /// that was.
    pub(super) fn found_another(&self, is_outdated: bool) {
        let mut story = self.story();
        story.is_shared = true;
        if is_outdated {
            story.stands = Stands::Unknown;
        }
    }

    /// What is known of where the history stands now.
    pub(super) fn knows(&self, stands: Stands) {
        self.story().stands = stands;
    }

    /// It stands elsewhere than was thought.
    pub(super) fn found_moved(&self) {
        self.knows(Stands::Unknown);
    }

    pub(super) fn is_shared(&self) -> bool {
        self.story().is_shared
    }

    /// Who does something now, by the server's clock.
    pub(super) fn origin(&self) -> Origin<'_> {
        let at = self.story().clock.now();
        Origin { at, process: self.holder.process, host: &self.holder.host }
    }

    fn story(&self) -> MutexGuard<'_, Story> {
        self.story.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No code that can panic runs under the lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, Expiry> {
        self.expiry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease that this attempt has taken.
    pub(super) fn lease(self, key: StateKey, token: u64) -> Lease {
        Lease::new(key, token).with_guard(Arc::new(self))
    }

    /// The attempt that took a lease of ours.
    pub(super) fn of(lease: &Lease) -> Option<Arc<Self>> {
        lease.guard()
    }
}

/// Who has the lease by its value.
pub(super) fn holder(value: &[u8]) -> Holder {
    let holder = value.get(ID_BYTES + BLANKS.len()..).unwrap_or_default();
    serde_json::from_slice(holder).unwrap_or_else(|_| Holder::unknown())
}
