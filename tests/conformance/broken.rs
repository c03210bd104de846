//! A memory backend with one deliberate mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use cogency_state::conformance::Harness;
use cogency_state::{
    Capabilities, Durability, Error, Holder, Lease, LeaseAttempt, MemoryBackend, Metadata, Opened,
    Record, Revision, StateBackend, StateKey, Write, WriteId,
};
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::fault::Fault;

/// How long leases last where a fault is about that.
pub const TTL: Duration = Duration::from_millis(300);

/// Wraps a memory backend and does one thing wrong.
#[derive(Clone)]
pub struct Broken {
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
    /// Keys that were ever saved, and those that were ever leased.
    saved: BTreeSet<StateKey>,
    leased: BTreeSet<StateKey>,
    /// The token of the newest lease on each key.
    newest: BTreeMap<StateKey, u64>,
    /// What is taken off the tokens that are given out.
    forgotten: BTreeMap<StateKey, u64>,
    writes: Vec<WriteId>,
    /// What loads show in place of what is there.
    shown: BTreeMap<StateKey, Option<Record>>,
    /// What was there before the last save.
    before: BTreeMap<StateKey, Record>,
    leaked: Vec<Lease>,
    released: BTreeSet<(StateKey, u64)>,
    renewed: BTreeSet<(StateKey, u64)>,
    busy: BTreeSet<StateKey>,
    loads: u64,
}

/// What a lease of this backend carries.
struct Inner {
    lease: Lease,
    of_user: Option<Lease>,
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
    pub fn new(fault: Option<Fault>, ttl: Option<Duration>) -> Self {
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
                // A longer one is no id; its halves say enough.
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
    async fn force(&self, key: &StateKey, record: Record) -> Result<(), Error> {
        let place = self.place(key);
        let lease = match self.inner.acquire_lease(&place, &Holder::current()).await? {
            LeaseAttempt::Acquired(lease) => lease,
            _ => self.forged(key).lease,
        };
        let found = self.inner.load_state(&place).await?.map(|record| record.revision);
        self.inner.save_state(&lease, &Write::new(record, found)).await
    }

    /// What a fault does before or in place of a save; `None` if the save goes on.
    async fn spoil_save(&self, lease: &Lease, write: &mut Write) -> Option<Result<(), Error>> {
        let key = lease.key();
        let found = self.inner.load_state(&self.place(key)).await.unwrap();
        let found_revision = found.as_ref().map(|record| record.revision);
        let record = write.record.clone();
        let is_repeat = found_revision.is_some_and(|f| f.write_id == record.revision.write_id);
        let error = |text: String| Some(Err(Error::backend(Some(key), "broken:", "save", text)));
        let state = || String::from_utf8_lossy(&record.state).into_owned();
        let damaged = self.notes().damaged.contains(key);
        if damaged && !self.has(Fault::SavesOverDamage) {
            return Some(Err(Error::corrupt(key, "broken:", "it is damaged")));
        }
        let forced = match self.fault? {
            Fault::LosesCustomMetadata => {
                write.record.metadata.custom.clear();
                false
            }
            Fault::KeepsTheFirstRecord if write.expected.is_some() => return Some(Ok(())),
            Fault::LastWriterWins => true,
            Fault::FirstSavesReplaceRecords => write.expected.is_none(),
            Fault::SavesOverNothing => found.is_none(),
            Fault::SavesOverDamage => damaged,
            Fault::ComparesVersionsOnly => {
                write.expected.map(|r| r.version) == found_revision.map(|r| r.version)
            }
            Fault::RefusesRepeatedSaves if is_repeat => {
                return Some(Err(Error::conflict(key, "broken:", 0, 1)));
            }
            Fault::RemembersWriteIdsForever => {
                let mut notes = self.notes();
                if notes.writes.contains(&record.revision.write_id) {
                    return Some(Ok(()));
                }
                notes.writes.push(record.revision.write_id);
                false
            }
            Fault::KeepsVersionsAsDoubles => {
                write.record.revision.version = as_double(record.revision.version);
                let expected = |r: Revision| Revision { version: as_double(r.version), ..r };
                write.expected = write.expected.map(expected);
                false
            }
            Fault::ReformatsJson => {
                let value: serde_json::Value = serde_json::from_slice(&record.state).unwrap();
                write.record.state = value.to_string().into();
                false
            }
            Fault::TurnsNestedMetadataIntoText => {
                for (_, value) in &mut write.record.metadata.custom {
                    if value.is_object() {
                        *value = value.to_string().into();
                    }
                }
                false
            }
            Fault::CutsStatesAt4Mib => {
                write.record.state.truncate(4 << 20);
                false
            }
            Fault::RefusesStatesAbove16Mib if record.state.len() > 16 << 20 => {
                return error("too large".to_owned());
            }
            Fault::ReleasedLeasesSave => !self.is_held(key).await,
            Fault::OldTokensSave => Self::inside(lease).lease.token() < self.notes().newest[key],
            Fault::RunningOutIsLosing if self.has_run_out(lease) => {
                return Some(Err(Error::lease_lost(key, "broken:", lease.token())));
            }
            Fault::SavesInTwoSteps => {
                let mut half = found.clone().unwrap_or_else(|| record.clone());
                half.metadata = record.metadata.clone();
                self.notes().shown.insert(key.clone(), Some(half));
                sleep(Duration::from_millis(1)).await;
                self.notes().shown.remove(key);
                false
            }
            Fault::DroppedSaveComesLate => {
                let (this, key) = (self.clone(), key.clone());
                let late = tokio::spawn(async move {
                    sleep(Duration::from_millis(30)).await;
                    this.force(&key, record).await
                });
                return Some(late.await.unwrap());
            }
            Fault::DroppedSaveBlocks => {
                if !self.notes().busy.insert(key.clone()) {
                    std::future::pending::<()>().await;
                }
                yield_now().await;
                self.notes().busy.remove(key);
                false
            }
            Fault::ErrorsQuoteStates if !write.may_replace(found_revision) => {
                return Some(Err(Error::corrupt(key, "broken:", state())));
            }
            Fault::SourcesQuoteStates if !write.may_replace(found_revision) => {
                let source = std::io::Error::other(std::io::Error::other(state()));
                return Some(Err(Error::backend(Some(key), "broken:", "save", source)));
            }
            _ => false,
        };
        if forced { Some(self.force(key, write.record.clone()).await) } else { None }
    }

    fn has_run_out(&self, lease: &Lease) -> bool {
        let since = *Self::inside(lease).since.lock().unwrap();
        self.ttl.is_some_and(|ttl| since.elapsed() >= ttl)
    }

    fn note_saved(&self, key: &StateKey, before: Option<Record>, now: &Record) {
        let mut notes = self.notes();
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

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
fn as_double(version: u64) -> u64 {
    version as f64 as u64
}

#[async_trait]
impl StateBackend for Broken {
    fn location(&self) -> &str {
        if self.has(Fault::InstancesDisagree) && self.number == 1 {
            return "broken:another";
        }
        self.inner.location()
    }

    fn capabilities(&self) -> Capabilities {
        let capabilities = self.inner.capabilities().with_lease_ttl(self.ttl);
        match self.fault {
            Some(Fault::ClaimsToSurvive) => capabilities.with_durability(Durability::Restart),
            _ => capabilities,
        }
    }

    async fn acquire_lease(&self, key: &StateKey, holder: &Holder) -> Result<LeaseAttempt, Error> {
        let of_user = if self.has(Fault::LocksWholeUsers) {
            let lock = StateKey::new(key.user_id(), "\u{1}lock").unwrap();
            match self.inner.acquire_lease(&lock, holder).await? {
                LeaseAttempt::Acquired(lease) => Some(lease),
                held => return Ok(held),
            }
        } else {
            None
        };
        let inner = match self.inner.acquire_lease(&self.place(key), holder).await? {
            LeaseAttempt::Acquired(lease) => {
                Inner { lease, of_user, since: Mutex::new(Instant::now()) }
            }
            held => {
                let forges = self.has(Fault::GivesHeldLeases)
                    || self.has(Fault::InstancesShareNoLeases) && self.number > 0;
                if !forges {
                    return Ok(held);
                }
                self.forged(key)
            }
        };
        let lease = self.wrap(key, inner);
        if self.has(Fault::DroppedAcquireLeaks) {
            self.notes().leaked.push(lease.clone());
            yield_now().await;
            self.notes().leaked.pop();
        }
        Ok(LeaseAttempt::Acquired(lease))
    }

    async fn renew_lease(&self, lease: &Lease) -> Result<(), Error> {
        let inner = Self::inside(lease);
        if self.has(Fault::RenewDoesNothing) {
            return Ok(());
        }
        if self.has(Fault::RunningOutIsLosing) && self.has_run_out(lease) {
            return Err(Error::lease_lost(lease.key(), "broken:", lease.token()));
        }
        self.inner.renew_lease(&inner.lease).await?;
        *inner.since.lock().unwrap() = Instant::now();
        self.notes().renewed.insert((lease.key().clone(), lease.token()));
        Ok(())
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), Error> {
        let id = (lease.key().clone(), lease.token());
        let is_first = !self.notes().released.contains(&id);
        match self.fault {
            Some(Fault::ReleaseDoesNothing) => return Ok(()),
            Some(Fault::RefusesASecondRelease) if !is_first => {
                return Err(Error::lease_lost(lease.key(), "broken:", lease.token()));
            }
            Some(Fault::AnybodyReleases) => {
                return self.inner.release_lease(&self.forged(lease.key()).lease).await;
            }
            Some(Fault::DroppedReleaseForgets) if !is_first => return Ok(()),
            Some(Fault::RenewedLeasesOutliveTheirRelease) if self.notes().renewed.contains(&id) => {
                return Ok(());
            }
            _ => {}
        }
        self.notes().released.insert(id);
        if self.has(Fault::DroppedReleaseForgets) {
            yield_now().await;
        }
        self.release_inner(&Self::inside(lease)).await
    }

    async fn load_state(&self, key: &StateKey) -> Result<Option<Record>, Error> {
        match self.fault {
            Some(Fault::NeverAnswers) => std::future::pending().await,
            Some(Fault::Panics) => panic!("out of order"),
            Some(Fault::LoadsWaitForTheHolder) if self.is_held(key).await => {
                return Err(Error::backend(Some(key), "broken:", "load", "somebody holds it"));
            }
            Some(Fault::DroppedLoadBlocks) => {
                if !self.notes().busy.insert(key.clone()) {
                    return Err(Error::backend(Some(key), "broken:", "load", "busy"));
                }
                yield_now().await;
                self.notes().busy.remove(key);
            }
            _ => {}
        }
        let found = self.inner.load_state(&self.place(key)).await?;
        let mut notes = self.notes();
        notes.loads += 1;
        if notes.damaged.contains(key) {
            return match self.fault {
                Some(Fault::DamageLoadsAsNone) => Ok(None),
                _ => Err(Error::corrupt(key, "broken:", "it is damaged")),
            };
        }
        if let Some(shown) = notes.shown.get(key) {
            return Ok(shown.clone());
        }
        match self.fault {
            Some(Fault::LoadsAnEmptyRecordWhereNoneIs) if found.is_none() => Ok(Some(empty(key))),
            Some(Fault::LoadsAreStaleNowAndThen) if found.is_some() && notes.loads % 7 == 0 => {
                Ok(notes.before.get(key).cloned())
            }
            _ => Ok(found),
        }
    }

    async fn save_state(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        let mut write = write.clone();
        let inner = Self::inside(lease).lease.clone();
        let before = self.inner.load_state(&self.place(lease.key())).await?;
        let result = match self.spoil_save(lease, &mut write).await {
            Some(result) => result,
            None => self.inner.save_state(&inner, &write).await,
        };
        if result.is_ok() {
            self.note_saved(lease.key(), before, &write.record);
        }
        result
    }

    async fn delete_state(&self, lease: &Lease) -> Result<bool, Error> {
        let key = lease.key();
        let inner = Self::inside(lease).lease.clone();
        match self.fault {
            Some(Fault::DamageCannotBeDeleted) if self.notes().damaged.contains(key) => {
                return Err(Error::corrupt(key, "broken:", "it is damaged"));
            }
            Some(Fault::DroppedDeleteTears) => {
                self.notes().shown.insert(key.clone(), Some(empty(key)));
                yield_now().await;
                self.notes().shown.remove(key);
            }
            Some(Fault::DeleteForgetsTokens) => {
                self.notes().forgotten.insert(key.clone(), inner.token());
            }
            _ => {}
        }
        let was_there = self.inner.delete_state(&inner).await?;
        self.notes().damaged.remove(key);
        Ok(was_there || self.has(Fault::SecondDeleteSaysTrue))
    }

    async fn list_states(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        let listed = self.inner.list_states(user_id).await;
        let all = |keys: &BTreeSet<StateKey>, is_users: &dyn Fn(&str) -> bool| {
            Ok(keys.iter().filter(|key| is_users(key.user_id())).cloned().collect())
        };
        match self.fault {
            Some(Fault::ListsNothingForInvalidIds) => Ok(listed.unwrap_or_default()),
            Some(Fault::ListsOutOfOrder) => Ok(listed?.into_iter().rev().collect()),
            Some(Fault::ListsByPrefix) => {
                all(&self.notes().saved, &|owner| owner.starts_with(user_id))
            }
            Some(Fault::ListsLeasedKeys) => all(&self.notes().leased, &|owner| owner == user_id),
            Some(Fault::ListsEscapedIds) => Ok(listed?.iter().map(escaped).collect()),
            _ => listed,
        }
    }

    async fn acquire_and_load(&self, key: &StateKey, holder: &Holder) -> Result<Opened, Error> {
        let lease = match self.acquire_lease(key, holder).await? {
            LeaseAttempt::Acquired(lease) => lease,
            LeaseAttempt::Held(_) if self.has(Fault::OpensHeldKeys) => {
                self.wrap(key, self.forged(key))
            }
            LeaseAttempt::Held(holder) => return Ok(Opened::Held(holder)),
            other => panic!("{other:?}"),
        };
        match self.load_state(key).await {
            Ok(_) if self.has(Fault::OpensWithoutTheRecord) => {
                Ok(Opened::Acquired { lease, record: None })
            }
            Ok(record) => Ok(Opened::Acquired { lease, record }),
            Err(error) => {
                if self.has(Fault::FailedOpenKeepsTheLease) {
                    self.notes().leaked.push(lease);
                }
                Err(error)
            }
        }
    }

    async fn save_and_release(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        let result = self.save_state(lease, write).await;
        let releases = match self.fault {
            Some(Fault::SaveAndReleaseKeepsTheLease) => false,
            Some(Fault::ConflictReleases) => true,
            _ => result.is_ok(),
        };
        if releases {
            self.release_lease(lease).await?;
        }
        result
    }
}

fn empty(key: &StateKey) -> Record {
    Record::new(key.clone(), Revision::after(None), None, Metadata::now(), "null".into())
}

/// As a store shows a name that is a file's name.
fn escaped(key: &StateKey) -> StateKey {
    StateKey::new(key.user_id(), key.session_id().replace('/', "%2F")).unwrap()
}

/// Opens the broken backend.
pub struct BrokenHarness {
    backend: Broken,
    opened: AtomicU64,
    deadline: Duration,
}

impl BrokenHarness {
    pub fn new(fault: Option<Fault>, ttl: Option<Duration>) -> Self {
        let deadline = match fault {
            Some(Fault::NeverAnswers) => Duration::from_millis(200),
            _ => Duration::from_secs(60),
        };
        Self { backend: Broken::new(fault, ttl), opened: AtomicU64::new(0), deadline }
    }
}

#[async_trait]
impl Harness for BrokenHarness {
    async fn open(&self) -> Arc<dyn StateBackend> {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let mut backend = self.backend.clone();
        if backend.has(Fault::InstancesShareNothing) && number > 0 {
            backend = Broken::new(backend.fault, backend.ttl);
        }
        Arc::new(Broken { number, ..backend })
    }

    async fn restart(&self) -> Arc<dyn StateBackend> {
        if self.backend.has(Fault::SurvivesUnannounced) {
            return self.open().await;
        }
        Arc::new(Broken::new(self.backend.fault, self.backend.ttl))
    }

    async fn damage(&self, key: &StateKey) -> bool {
        self.backend.notes().damaged.insert(key.clone());
        true
    }

    fn deadline(&self) -> Duration {
        self.deadline
    }
}
