//! States that could not reach their backend, on this machine's disk until they can.
//!
//! What this module knows is files; what is to become of them is for `outage` to say. Its work runs
//! on threads that may block, and runs to its end although the caller may stop waiting.

mod entry;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod locked;
mod name;
mod place;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::time::Instant;

pub(crate) use self::entry::Entry;
use self::locked::Locked;
pub(crate) use self::name::EntryName;
pub(crate) use self::place::{Appended, Kind};
use self::place::{Place, SpoolFile};
use crate::backend::Write;
use crate::blob::BlobId;
use crate::error::stopped;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::spool_problem::SpoolProblem;

/// Other processes may spool too: what they added is seen within this time.
const TOTALS_LAST: Duration = Duration::from_secs(1);
/// Between two looks at a key that another process has locked.
const POLL_PAUSE: Duration = Duration::from_millis(10);

/// How much the spool takes, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) bytes: u64,
    pub(crate) age: Duration,
}

/// What is in the spool.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) pending: usize,
    pub(crate) conflicts: usize,
    pub(crate) damaged: usize,
    /// Of all of them.
    pub(crate) bytes: u64,
    /// Since when the oldest one is pending.
    pub(crate) oldest: Option<SystemTime>,
}

/// The spool of one location.
#[derive(Debug)]
pub(crate) struct Spool {
    place: Arc<Place>,
    limits: Limits,
    totals: Mutex<Option<(Instant, Totals)>>,
}

/// An entry as a listing shows it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) key: Option<StateKey>,
    pub(crate) kind: Kind,
    pub(crate) name: EntryName,
    pub(crate) bytes: u64,
    pub(crate) since: SystemTime,
    /// Below the folder of the location.
    pub(crate) path: PathBuf,
    /// What it holds, or why that cannot be read.
    pub(crate) entry: Result<Entry, String>,
}

impl Spool {
    /// Below this folder, which is made with the first entry.
    pub(crate) fn new(folder: &Path, location: &str, limits: Limits) -> Self {
        let place = Arc::new(Place::new(folder, location));
        Self { place, limits, totals: Mutex::default() }
    }

    /// The folder of this location.
    pub(crate) fn path(&self) -> PathBuf {
        self.place.path()
    }

    /// Whether something of a key is to be replayed, whichever process spooled it.
    pub(crate) fn has_pending(&self, key: &StateKey) -> bool {
        self.place.has_pending(key)
    }

    /// Locks a key against the other processes that use the spool; gives who has it if that takes
    /// longer than `wait`.
    pub(crate) async fn lock(
        &self,
        key: &StateKey,
        wait: Duration,
    ) -> Result<Result<KeyLock, Holder>, SpoolProblem> {
        // A wait beyond what clocks can tell has no end.
        let deadline = Instant::now().checked_add(wait);
        let holder = Holder::current();
        loop {
            let (place, own_key, own_holder) =
                (Arc::clone(&self.place), key.clone(), holder.clone());
            match blocking(move || place.lock(&own_key, &own_holder)).await? {
                Ok(locked) => return Ok(Ok(KeyLock(Some(Arc::new(locked))))),
                Err(holder) if is_over(deadline) => return Ok(Err(holder)),
                Err(_) => tokio::time::sleep(POLL_PAUSE).await,
            }
        }
    }

    /// Whether there is room for one more entry.
    pub(crate) async fn check_room(&self, bytes: u64) -> Result<(), SpoolProblem> {
        let totals = self.totals().await?;
        let limit = self.limits.bytes;
        if totals.bytes.saturating_add(bytes) > limit {
            return Err(SpoolProblem::Full { bytes: totals.bytes, limit });
        }
        let age = totals.oldest.and_then(|oldest| oldest.elapsed().ok()).unwrap_or_default();
        if age > self.limits.age {
            return Err(SpoolProblem::TooOld { age, limit: self.limits.age });
        }
        Ok(())
    }

    /// What is in the spool, or was a moment ago.
    async fn totals(&self) -> io::Result<Totals> {
        let last = *self.lock_totals();
        match last {
            Some((at, totals)) if at.elapsed() < TOTALS_LAST => Ok(totals),
            _ => self.count().await,
        }
    }

    /// What is in the spool now.
    pub(crate) async fn count(&self) -> io::Result<Totals> {
        let place = Arc::clone(&self.place);
        let totals = blocking(move || place.list().map(|found| total(&found))).await?;
        *self.lock_totals() = Some((Instant::now(), totals));
        Ok(totals)
    }

    fn lock_totals(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Totals)>> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys of which something is to be replayed, those that have waited longest first.
    pub(crate) async fn pending_keys(&self) -> io::Result<Vec<StateKey>> {
        let place = Arc::clone(&self.place);
        blocking(move || {
            let mut pending = place.list()?;
            pending.retain(|found| found.kind == Kind::Pending);
            pending.sort_by_key(|found| found.since);
            let (mut keys, mut seen) = (Vec::new(), HashSet::new());
            for found in pending {
                let Some(key) = key_of(&place, &found)? else { continue };
                if seen.insert(key.clone()) {
                    keys.push(key);
                }
            }
            Ok(keys)
        })
        .await
    }

    /// All that is in the spool, key by key in order.
    pub(crate) async fn list(&self) -> io::Result<Vec<Listed>> {
        let place = Arc::clone(&self.place);
        blocking(move || {
            let mut listed = Vec::new();
            for found in place.list()? {
                let Some(text) = place.read(&found)? else { continue };
                let key = found.key.clone().or_else(|| entry::key_in(&text));
                let entry = match &key {
                    Some(key) => entry::decode(key, &text),
                    None => Err("it does not say whose it is".to_owned()),
                };
                let path = found.path();
                let SpoolFile { kind, name, bytes, since, .. } = found;
                listed.push(Listed { key, kind, name, bytes, since, path, entry });
            }
            Ok(listed)
        })
        .await
    }

    /// The newest state of a key that is to be replayed, or why it cannot be read.
    pub(crate) async fn newest(&self, key: &StateKey) -> io::Result<Option<Result<Entry, String>>> {
        let (place, key) = (Arc::clone(&self.place), key.clone());
        blocking(move || Ok(place.newest(&key)?.map(|text| entry::decode(&key, &text)))).await
    }

    /// The bytes of a blob that a save of this key brings along.
    pub(crate) async fn blob(&self, key: &StateKey, id: BlobId) -> io::Result<Option<Bytes>> {
        let entries = self.entries_of(key).await?;
        let mut blobs = entries.iter().flatten().flat_map(|entry| &entry.write.blobs);
        Ok(blobs.find(|blob| blob.id() == id).and_then(|blob| blob.here().cloned()))
    }

    /// The blobs that the states of a key name. It fails where one cannot be read, which may name
    /// any.
    pub(crate) async fn blob_ids(&self, key: &StateKey) -> io::Result<Vec<BlobId>> {
        let mut named = Vec::new();
        for entry in self.entries_of(key).await? {
            let entry =
                entry.map_err(|reason| io::Error::new(io::ErrorKind::InvalidData, reason))?;
            named.extend(entry.write.record.metadata.blob_ids.unwrap_or_default());
        }
        Ok(named)
    }

    /// What is there of a key's; `Err` in place of what cannot be read.
    async fn entries_of(&self, key: &StateKey) -> io::Result<Vec<Result<Entry, String>>> {
        let (place, key) = (Arc::clone(&self.place), key.clone());
        blocking(move || {
            let mut entries = Vec::new();
            for found in place.list_of(&key)? {
                let text = place.read(&found)?;
                entries.extend(text.map(|text| entry::decode(&key, &text)));
            }
            Ok(entries)
        })
        .await
    }

    /// Appends a save to those of its key. `may_be_stored` if it may have happened already.
    pub(crate) async fn push(
        &self,
        write: &Write,
        may_be_stored: bool,
    ) -> Result<Appended, SpoolProblem> {
        let own = write.clone();
        let text = blocking(move || entry::encode(&own).map_err(io::Error::other)).await?;
        let bytes = text.len() as u64;
        self.check_room(bytes).await?;
        let name = EntryName::new(write.record.revision.write_id, may_be_stored);
        let (place, key) = (Arc::clone(&self.place), write.record.key.clone());
        let appended = blocking(move || place.append(&key, &name, &text)).await?;
        if let Some((_, totals)) = &mut *self.lock_totals() {
            totals.pending += 1;
            totals.bytes += bytes;
            totals.oldest.get_or_insert_with(SystemTime::now);
        }
        Ok(appended)
    }
}

/// Whether a moment has come; `None` never comes.
pub(crate) fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

fn total(found: &[SpoolFile]) -> Totals {
    let mut totals = Totals::default();
    for found in found {
        totals.bytes += found.bytes;
        match found.kind {
            Kind::Conflict => totals.conflicts += 1,
            Kind::Damaged => totals.damaged += 1,
            Kind::Pending => {
                totals.pending += 1;
                let oldest = totals.oldest.unwrap_or(found.since);
                totals.oldest = Some(oldest.min(found.since));
            }
        }
    }
    totals
}

fn key_of(place: &Place, found: &SpoolFile) -> io::Result<Option<StateKey>> {
    if let Some(key) = &found.key {
        return Ok(Some(key.clone()));
    }
    Ok(place.read(found)?.and_then(|text| entry::key_in(&text)))
}

/// A key that is locked in the spool, until this is dropped.
#[derive(Debug)]
pub(crate) struct KeyLock(Option<Arc<Locked>>);

impl KeyLock {
    /// What of the key is there, in order.
    pub(crate) async fn names(&self, kind: Kind) -> io::Result<Vec<EntryName>> {
        self.with(move |locked| locked.names(kind)).await
    }

    /// An entry, or why it cannot be read.
    pub(crate) async fn read(
        &self,
        kind: Kind,
        name: &EntryName,
    ) -> io::Result<Result<Entry, String>> {
        let name = name.clone();
        self.with(move |locked| {
            let text = locked.read(kind, &name)?.ok_or(io::ErrorKind::NotFound)?;
            Ok(entry::decode(locked.key(), &text))
        })
        .await
    }

    /// Notes that an entry is about to be sent.
    pub(crate) async fn mark_sent(&self, name: &EntryName) -> io::Result<EntryName> {
        let name = name.clone();
        self.with(move |locked| locked.mark_sent(&name)).await
    }

    /// Gives the blobs that an entry brings along to others that name them.
    pub(crate) async fn hand_on_blobs(&self, kind: Kind, name: &EntryName) -> io::Result<()> {
        let name = name.clone();
        self.with(move |locked| locked.hand_on_blobs(kind, &name)).await
    }

    /// Removes an entry; `false` if it was gone.
    pub(crate) async fn remove(&self, kind: Kind, name: &EntryName) -> io::Result<bool> {
        let name = name.clone();
        self.with(move |locked| locked.remove(kind, &name)).await
    }

    /// Keeps an entry that is not to be replayed.
    pub(crate) async fn set_aside(
        &self,
        name: &EntryName,
        kind: Kind,
        new_name: &EntryName,
    ) -> io::Result<()> {
        let (name, new_name) = (name.clone(), new_name.clone());
        self.with(move |locked| locked.set_aside(&name, kind, &new_name)).await
    }

    /// Gives the key back, and waits until that is done.
    pub(crate) async fn release(mut self) {
        let locked = self.0.take();
        let released = blocking(move || {
            drop(locked);
            Ok(())
        });
        // It has nothing to tell.
        let _ = released.await;
    }

    async fn with<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Locked) -> io::Result<R> + Send + 'static,
    ) -> io::Result<R> {
        // It is there until the drop.
        let Some(locked) = self.0.clone() else { return Err(io::ErrorKind::NotFound.into()) };
        blocking(move || work(&locked)).await
    }
}

/// Its end touches files, which is not for a thread of the runtime's.
impl Drop for KeyLock {
    fn drop(&mut self) {
        let Some(locked) = self.0.take() else { return };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn_blocking(move || drop(locked));
        }
    }
}

async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> io::Result<R> + Send + 'static,
) -> io::Result<R> {
    let runtime = Handle::try_current().map_err(io::Error::other)?;
    runtime.spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(stopped(error))))
}
