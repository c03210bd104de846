//! A memory backend with one deliberate mistake.

mod aside;
mod backend;
mod blobs;
mod harness;
mod history;
mod save;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use cogency_state::{
    AsideId, BlobId, Error, Holder, Lease, LeaseAttempt, MemoryBackend, Record, StateBackend,
    StateKey, Write, WriteId,
};

use crate::fault::Fault;

pub(crate) use harness::BrokenHarness;

/// How long leases last where a fault is about that.
pub(crate) const TTL: Duration = Duration::from_millis(300);

/// Wraps a memory backend and does one thing wrong.
#[derive(Clone)]
pub(crate) struct Broken {
    inner: MemoryBackend,
    fault: Option<Fault>,
    ttl: Option<Duration>,
    /// Which of several instances over the same records this is.
    number: u64,
    notes: Arc<Mutex<Notes>>,
}

/// What the faults remember.
#[derive(Default)]
struct Notes {
    damaged: BTreeSet<StateKey>,
    damaged_asides: BTreeSet<AsideId>,
    damaged_blobs: BTreeSet<BlobId>,
    /// Keys that were ever saved, and those that were ever leased.
    saved: BTreeSet<StateKey>,
    leased: BTreeSet<StateKey>,
    /// The token of the newest lease on each key.
    newest: BTreeMap<StateKey, u64>,
    /// What is taken off the tokens that are given out.
    forgotten: BTreeMap<StateKey, u64>,
    writes: Vec<WriteId>,
    /// What loads show in place of what is there.
    shown: BTreeMap<StateKey, Record>,
    /// What was there before the last save.
    before: BTreeMap<StateKey, Record>,
    /// What was saved last, and when the first record with a ttl was to expire.
    latest: BTreeMap<StateKey, Record>,
    due: BTreeMap<StateKey, Instant>,
    leaked: Vec<Lease>,
    released: BTreeSet<(StateKey, u64)>,
    renewed: BTreeSet<(StateKey, u64)>,
    busy: BTreeSet<StateKey>,
    loads: u64,
    stories: BTreeMap<StateKey, history::Story>,
}

/// What a lease of this backend carries.
struct Inner {
    lease: Lease,
    /// Where whole users are locked.
    of_user: Option<Lease>,
    /// When it was taken or renewed.
    since: Mutex<Instant>,
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has(Fault::DebugQuotesStates) {
            let before = &self.notes().before;
            let states = before.values().map(|record| String::from_utf8_lossy(&record.state));
            return write!(f, "{:?}", states.collect::<Vec<_>>());
        }
        write!(f, "Broken({:?})", self.fault)
    }
}

impl Broken {
    pub(crate) fn new(fault: Option<Fault>, ttl: Option<Duration>) -> Self {
        let mut inner = MemoryBackend::new();
        let ttl_inside = match fault {
            Some(Fault::HidesItsTtl) => Some(TTL),
            Some(Fault::ClaimsATtl) => None,
            Some(Fault::RunsOutEarly) => ttl.map(|ttl| ttl / 4),
            _ => ttl,
        };
        if let Some(ttl) = ttl_inside {
            inner = inner.with_lease_ttl(ttl);
        }
        Self { inner, fault, ttl, number: 0, notes: Arc::default() }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap()
    }

    /// The key under which a careless backend keeps the record.
    fn place(&self, key: &StateKey) -> StateKey {
        let both = |change: &dyn Fn(&str) -> String| {
            StateKey::new(change(key.user_id()), change(key.session_id())).unwrap()
        };
        let or_dot = |id: &str| if id.is_empty() { ".".to_owned() } else { id.to_owned() };
        match self.fault {
            Some(Fault::FoldsLetterCase) => both(&str::to_lowercase),
            Some(Fault::JoinsTheHalvesOfKeys) => {
                let mut joined = format!("{}:{}", key.user_id(), key.session_id());
                // A longer one is no id; its end says enough.
                if joined.len() > 1024 {
                    joined = joined.chars().rev().take(300).collect();
                }
                StateKey::for_user(joined).unwrap()
            }
            Some(Fault::TrimsIds) => both(&|id| or_dot(id.trim_end_matches(['.', ' ']))),
            Some(Fault::CutsIdsAt255Bytes) => both(&|id| {
                id.chars()
                    .scan(0, |bytes, c| {
                        *bytes += c.len_utf8();
                        (*bytes <= 255).then_some(c)
                    })
                    .collect()
            }),
            _ => key.clone(),
        }
    }

    /// A lease of this backend's, around one of the memory backend's.
    fn wrap(&self, key: &StateKey, inner: Inner) -> Lease {
        let mut notes = self.notes();
        let mut token = inner.lease.token();
        notes.newest.insert(key.clone(), token);
        notes.leased.insert(key.clone());
        token -= notes.forgotten.get(key).copied().unwrap_or(0);
        if self.has(Fault::TokensStandStill) {
            token = 1;
        }
        if self.has(Fault::LeaksDroppedLeases) {
            notes.leaked.push(inner.lease.clone());
        }
        Lease::new(key.clone(), token).with_guard(Arc::new(inner))
    }

    /// A lease on a key that somebody else holds.
    fn forged(&self, key: &StateKey) -> Inner {
        let newest = self.notes().newest.get(key).copied().unwrap_or(1);
        let lease = Lease::new(self.place(key), newest);
        Inner { lease, of_user: None, since: Mutex::new(Instant::now()) }
    }

    fn inside(lease: &Lease) -> Arc<Inner> {
        lease.guard().unwrap()
    }

    async fn is_held(&self, key: &StateKey) -> bool {
        let attempt = self.inner.acquire_lease(&self.place(key), &Holder::current()).await;
        matches!(attempt.unwrap(), LeaseAttempt::Held(_))
    }

    /// Saves whatever lease and version there are.
    async fn force(
        &self,
        key: &StateKey,
        record: Record,
        ttl: Option<Duration>,
    ) -> Result<(), Error> {
        let place = self.place(key);
        let lease = match self.inner.acquire_lease(&place, &Holder::current()).await? {
            LeaseAttempt::Acquired(lease) => lease,
            _ => self.forged(key).lease,
        };
        let found = self.inner.load_state(&place).await?.map(|record| record.revision);
        self.inner.save_state(&lease, &Write::new(record, found).with_ttl(ttl)).await
    }

    fn has_run_out(&self, lease: &Lease) -> bool {
        let since = *Self::inside(lease).since.lock().unwrap();
        self.ttl.is_some_and(|ttl| since.elapsed() >= ttl)
    }

    /// How long it is until a record has to expire.
    fn left(&self, key: &StateKey) -> Option<Duration> {
        self.notes().due.get(key).map(|due| due.saturating_duration_since(Instant::now()))
    }

    fn note_saved(&self, key: &StateKey, before: Option<Record>, write: &Write) {
        self.note_write(key, write);
        let (mut notes, now) = (self.notes(), &write.record);
        if let Some(ttl) = write.ttl {
            notes.due.entry(key.clone()).or_insert_with(|| Instant::now() + ttl);
        }
        notes.latest.insert(key.clone(), now.clone());
        notes.saved.insert(key.clone());
        notes.damaged.remove(key);
        notes.before.insert(key.clone(), before.unwrap_or_else(|| now.clone()));
    }

    async fn release_inner(&self, inner: &Inner) -> Result<(), Error> {
        if let Some(of_user) = &inner.of_user {
            self.inner.release_lease(of_user).await?;
        }
        self.inner.release_lease(&inner.lease).await
    }
}
