//! What a user sees of outages, and decides.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Outage;
use super::policy::Conduct;
use super::recovery::replay_all;
use crate::backend::Write;
use crate::error::Error;
use crate::key::StateKey;
use crate::manager::hold::Hold;
use crate::manager::spool::{Entry, EntryName, KeyLock, Kind, Listed};
use crate::manager::{Loaded, StateManager, observed};
use crate::record::{Record, Revision, SavedAt};

/// Who replays an entry has its lock and waits for the lease that one who saves ours has: so that
/// one does not wait for long.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// How a manager and its backend are, for a readiness probe.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Health {
    /// Since when the backend is known to be out of reach; `None` if it is not.
    pub away_since: Option<SystemTime>,
    /// What it, or the way to it, said last while it was.
    pub last_error: Option<String>,
    /// How many states wait in the spool, of all processes that use it.
    pub spooled: usize,
    /// How many are in conflict: [`StateManager::resolve`] them.
    pub conflicts: usize,
    /// How many entries of the spool are damaged.
    pub damaged: usize,
    /// How many bytes the spool has, with what is in conflict or damaged.
    pub spool_bytes: u64,
    /// How long the oldest state has been waiting.
    pub oldest: Option<Duration>,
    /// Why the spool cannot be looked at, if it cannot.
    pub spool_error: Option<String>,
}

impl Health {
    /// Whether all is well: the backend is not known to be away, and nothing waits for it.
    ///
    /// Conflicts and damaged entries wait for a person, not for the backend, and do not count:
    /// see [`needs_attention`](Self::needs_attention).
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.away_since.is_none() && self.spooled == 0 && self.spool_error.is_none()
    }

    /// Whether a person has to decide about something in the spool.
    #[must_use]
    pub fn needs_attention(&self) -> bool {
        self.conflicts + self.damaged > 0
    }
}

/// A state in the spool, as [`StateManager::spool`] lists it.
#[non_exhaustive]
pub struct Spooled {
    /// Whose it is; `None` if it is damaged and does not say so.
    pub key: Option<StateKey>,
    /// What became of it.
    pub kind: SpooledKind,
    /// The save that made it, and the one that it was made from; `None` if that cannot be read.
    pub revision: Option<(Revision, Option<Revision>)>,
    /// When it was spooled, by this machine's clock.
    pub spooled_at: SavedAt,
    /// How large its file is.
    pub bytes: u64,
    /// Its file.
    pub path: PathBuf,
    listed: Listed,
}

/// Without the file, which would be most of it.
impl fmt::Debug for Spooled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spooled")
            .field("key", &self.key)
            .field("kind", &self.kind)
            .field("revision", &self.revision)
            .field("spooled_at", &self.spooled_at)
            .field("bytes", &self.bytes)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// What became of a state in the spool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpooledKind {
    /// It waits for the backend.
    Pending,
    /// What it was made from is not what is stored: both sides moved on. The one that is stored
    /// was not touched.
    #[non_exhaustive]
    Conflict {
        /// Whether it may be part of what is stored: it had been sent before, the answer was lost,
        /// and somebody has saved since.
        may_be_stored: bool,
    },
    /// It cannot be read, and is never sent.
    #[non_exhaustive]
    Damaged {
        /// Why, without any of the contents.
        reason: String,
    },
}

/// What becomes of a state in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolution {
    /// What is stored stays. The spooled state is removed, with those that led to it.
    Theirs,
    /// The spooled state is saved over what is stored, as a new version, and removed from the
    /// spool, with those that led to it.
    Ours,
    /// This entry is removed and nothing else, whatever it is.
    Drop,
}

impl StateManager {
    /// How this manager and its backend are. Asks the disk, not the backend.
    ///
    /// ```
    /// use cogency_state::{MemoryBackend, StateManager};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let manager = StateManager::new(MemoryBackend::new());
    /// assert!(manager.health().await.is_ok());
    /// # }
    /// ```
    pub async fn health(&self) -> Health {
        let health = match &self.inner.outage {
            Some(outage) => self.health_of(outage).await,
            None => Health::default(),
        };
        observed::health(self.location(), &health);
        health
    }

    async fn health_of(&self, outage: &Outage) -> Health {
        let (away_since, last_error) =
            outage.breaker.away().map(|away| (away.since, away.said)).unzip();
        let health = Health { away_since, last_error, ..Health::default() };
        match outage.spool.count().await {
            Err(error) => Health { spool_error: Some(error.to_string()), ..health },
            Ok(totals) => Health {
                spooled: totals.pending,
                conflicts: totals.conflicts,
                damaged: totals.damaged,
                spool_bytes: totals.bytes,
                oldest: totals.oldest.map(|oldest| oldest.elapsed().unwrap_or_default()),
                ..health
            },
        }
    }

    /// What is in the spool: key by key, what waits for the backend in its order, what is in
    /// conflict, what is damaged. Empty over a backend that has no spool.
    ///
    /// # Errors
    /// [`Error::Backend`] if the folder cannot be read.
    pub async fn spool(&self) -> Result<Vec<Spooled>, Error> {
        let Some(outage) = &self.inner.outage else { return Ok(Vec::new()) };
        let listed = outage.spool.list().await;
        let listed = listed
            .map_err(|error| Error::backend(None, &outage.spool_location(), "list", error))?;
        Ok(listed.into_iter().map(|listed| Spooled::new(outage, listed)).collect())
    }

    /// Sends what waits in the spool to the backend now, which otherwise happens by itself. Gives
    /// of how many keys something is still waiting: the backend is out of reach, refuses it, or
    /// somebody is at work on the key.
    ///
    /// # Errors
    /// [`Error::Backend`] if the folder cannot be read.
    pub async fn replay_spool(&self) -> Result<usize, Error> {
        match &self.inner.outage {
            Some(outage) if self.is_on() => replay_all(self, outage).await,
            _ => Ok(0),
        }
    }

    /// The state of an entry of the spool, to look at it.
    ///
    /// # Errors
    /// As [`load_state`](Self::load_state); [`Error::Corrupt`] if the entry is damaged.
    pub async fn load_spooled<T>(&self, spooled: &Spooled) -> Result<Loaded<T>, Error>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        self.read(spooled.entry()?.write.record.clone()).await
    }

    /// Decides about an entry of the spool. Gives the revision that is stored now, where that was
    /// changed: not where the entry is gone, because it has reached the backend or somebody else
    /// decided about it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if ours is damaged, [`Error::LeaseTimeout`] if the key was not free in
    /// time, [`Error::Backend`] if the backend or the folder fails: the entry is still there.
    /// [`Error::OutcomeUnknown`] if it may have been saved: it is still there too.
    pub async fn resolve(
        &self,
        spooled: &Spooled,
        resolution: Resolution,
    ) -> Result<Option<Revision>, Error> {
        let (Some(outage), Some(key)) = (&self.inner.outage, &spooled.key) else {
            let reason = "it does not say whose it is: remove its file by hand".to_owned();
            return Err(Error::Config { reason });
        };
        if !self.is_on() {
            let reason = "nothing is resolved while the manager is switched off".to_owned();
            return Err(Error::Config { reason });
        }
        let failed = |error| Error::backend(Some(key), &outage.spool_location(), "resolve", error);
        let (ours, wait) = match resolution {
            Resolution::Ours => (Some(self.hold_ours(key, spooled.entry()?).await?), LOCK_WAIT),
            Resolution::Theirs | Resolution::Drop => (None, self.inner.wait),
        };
        let lock = self.lock_spooled(outage, key, wait.min(self.inner.wait)).await?;
        let found = present(&lock, &spooled.listed).await.map_err(failed)?;
        let Some(name) = found else {
            lock.release().await;
            if let Some((hold, ..)) = ours {
                hold.release().await;
            }
            return Ok(None);
        };
        let saved = match ours {
            Some((hold, stored, entry)) => Some(save_ours(self, hold, stored, entry).await?),
            None => None,
        };
        let is_branch = resolution != Resolution::Drop;
        let removed = remove(&lock, spooled.listed.kind, name, is_branch).await;
        lock.release().await;
        let newest = outage.known(key).map(|known| known.revision);
        if spooled.revision.is_some_and(|(revision, _)| newest == Some(revision)) {
            outage.forget(key);
        }
        removed.map_err(failed)?;
        self.sweep_blobs_if_free(key).await;
        Ok(saved)
    }

    /// Takes the key of a spooled state, to save that over whatever is stored.
    async fn hold_ours<'a>(&self, key: &StateKey, entry: &'a Entry) -> Result<Ours<'a>, Error> {
        let opened = Hold::open(self, self.place(key), self.inner.wait, Conduct::failing()).await;
        opened.map(|(hold, stored)| (hold, stored, entry))
    }

    async fn lock_spooled(
        &self,
        outage: &Outage,
        key: &StateKey,
        wait: Duration,
    ) -> Result<KeyLock, Error> {
        match outage.spool.lock(key, wait).await {
            Ok(Ok(lock)) => Ok(lock),
            Ok(Err(holder)) => {
                let (key, backend) = (key.clone(), self.inner.location.to_string());
                let holder = Box::new(holder);
                Err(Error::LeaseTimeout { key, backend, waited: wait, holder })
            }
            Err(problem) => {
                let error = io::Error::other(problem.to_string());
                Err(Error::backend(Some(key), &outage.spool_location(), "resolve", error))
            }
        }
    }
}

/// A key that is held for a spooled state, and what is stored under it.
type Ours<'a> = (Box<Hold>, Option<Box<Record>>, &'a Entry);

/// Saves a spooled state over whatever is stored.
async fn save_ours(
    manager: &StateManager,
    hold: Box<Hold>,
    stored: Option<Box<Record>>,
    entry: &Entry,
) -> Result<Revision, Error> {
    let ours = &entry.write;
    let expected = stored.as_ref().map(|stored| stored.revision);
    let mut record = ours.record.clone();
    let blob_ids = record.metadata.blob_ids.clone().unwrap_or_default();
    if let Err(error) = manager.bring_blobs(&hold, &record.key, &blob_ids).await {
        hold.release().await;
        return Err(error);
    }
    record.revision = Revision::after(expected);
    // Other versions may have named some.
    if stored.as_ref().is_some_and(|stored| stored.metadata.blob_ids.is_some()) {
        record.metadata.blob_ids.get_or_insert_default();
    }
    let write = Write::new(record, expected)
        .with_ttl(ours.ttl)
        .with_action(ours.action)
        .with_replaced(stored.map(|stored| stored.state));
    hold.save(Box::new(write)).await.map(|outcome| outcome.revision())
}

/// The name that an entry has by now, if it is still there: it may have been sent since.
async fn present(lock: &KeyLock, listed: &Listed) -> io::Result<Option<EntryName>> {
    let names = lock.names(listed.kind).await?;
    Ok(names.into_iter().find(|name| name.write_id() == listed.name.write_id()))
}

/// Removes an entry, and with it those that led to it if that is wanted.
async fn remove(
    lock: &KeyLock,
    kind: Kind,
    name: EntryName,
    with_those_before: bool,
) -> io::Result<()> {
    let mut next = Some(name);
    while let Some(name) = next.take() {
        let before = match lock.read(kind, &name).await {
            Ok(Ok(entry)) if with_those_before => entry.write.expected,
            _ => None,
        };
        lock.hand_on_blobs(kind, &name).await?;
        lock.remove(kind, &name).await?;
        if let Some(before) = before {
            let names = lock.names(kind).await?;
            next = names.into_iter().find(|name| name.write_id() == before.write_id);
        }
    }
    Ok(())
}

impl Spooled {
    fn new(outage: &Outage, listed: Listed) -> Self {
        let kind = match (&listed.entry, listed.kind) {
            (Err(reason), _) => SpooledKind::Damaged { reason: reason.clone() },
            (Ok(_), Kind::Conflict) => {
                SpooledKind::Conflict { may_be_stored: listed.name.is_sent() }
            }
            (Ok(_), Kind::Damaged) => {
                SpooledKind::Damaged { reason: "it was damaged once".to_owned() }
            }
            (Ok(_), Kind::Pending) => SpooledKind::Pending,
        };
        let entry = listed.entry.as_ref().ok();
        Self {
            key: listed.key.clone(),
            kind,
            revision: entry.map(|entry| (entry.write.record.revision, entry.write.expected)),
            spooled_at: entry.map_or(SavedAt::Time(listed.since), |entry| entry.spooled_at.clone()),
            bytes: listed.bytes,
            path: outage.spool.path().join(&listed.path),
            listed,
        }
    }

    fn entry(&self) -> Result<&Entry, Error> {
        self.listed.entry.as_ref().map_err(|reason| match &self.key {
            Some(key) => Error::corrupt(key, "the spool", reason.clone()),
            None => Error::backend(None, "the spool", "read an entry", reason.clone()),
        })
    }
}
