//! What an archive holds, and how it comes back.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use super::blobs;
use super::entry::{Archived, Kind};
use super::manifest::Manifest;
use super::problem::Problem;
use super::run::checked;
use super::{Archive, Report};
use crate::backend::{Action, Lease, Opened, Write};
use crate::error::Error;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::manager::StateManager;
use crate::record::Revision;

impl Archive {
    /// The keys of a user of which something is archived, in order.
    ///
    /// # Errors
    /// [`Error::Backend`] if the archive cannot be read.
    pub async fn keys(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        let mut keys = BTreeSet::new();
        for (_, manifest) in self.manifests().await.map_err(|problem| self.failed(problem))? {
            let of_user = manifest.entries.iter().filter(|entry| entry.user_id == user_id);
            for entry in of_user {
                keys.insert(entry.id().map_err(|problem| self.failed(problem))?.key);
            }
        }
        Ok(keys.into_iter().collect())
    }

    /// The state that is archived of a key: the last, if there are several.
    ///
    /// # Errors
    /// [`Error::Backend`] if the archive cannot be read, or the file is damaged.
    pub async fn find(&self, key: &StateKey) -> Result<Option<Archived>, Error> {
        self.look_for(key).await.map_err(|problem| self.failed(problem))
    }

    async fn look_for(&self, key: &StateKey) -> Result<Option<Archived>, Problem> {
        let manifests = self.manifests().await?;
        let entries = manifests.iter().flat_map(|(name, manifest)| {
            manifest.entries.iter().map(move |entry| (name, manifest, entry))
        });
        let of_key = entries.filter(|(_, _, entry)| entry.is_of(Kind::State, key));
        let last = of_key.max_by(|(_, _, one), (_, _, other)| {
            (&one.saved_at, one.version).cmp(&(&other.saved_at, other.version))
        });
        let Some((name, manifest, listed)) = last else { return Ok(None) };
        let id = listed.id()?;
        let entries = checked(&self.place, name, manifest).await?;
        let entry = entries.iter().find(|entry| entry.id == id);
        entry
            .ok_or(Problem::Damaged("it has not all that its manifest lists"))?
            .archived()
            .map(Some)
    }

    /// Brings the last state of a key back, as a new version. It stays in the archive too. `None`
    /// if nothing is archived of the key, or if it has expired since.
    ///
    /// # Errors
    /// [`Error::Conflict`] if there is a state: delete it before, or use another key;
    /// [`Error::LeaseTimeout`] if somebody is at work on it; [`Error::Backend`] if the backend or
    /// the archive fails; [`Error::OutcomeUnknown`] if it may have come back.
    pub async fn restore(
        &self,
        manager: &StateManager,
        key: &StateKey,
    ) -> Result<Option<Revision>, Error> {
        let Some(archived) = self.find(key).await? else { return Ok(None) };
        let Ok(ttl) = time_left(&archived) else { return Ok(None) };
        let backend = manager.backend();
        let (lease, found) = match backend.acquire_and_load(key, &Holder::current()).await? {
            Opened::Acquired { lease, record } => (lease, record),
            Opened::Held(holder) => {
                return Err(Error::LeaseTimeout {
                    key: key.clone(),
                    backend: backend.location().to_owned(),
                    waited: Duration::ZERO,
                    holder: Box::new(holder),
                });
            }
        };
        if let Some(found) = found {
            release(manager, &lease).await;
            let version = found.revision.version;
            return Err(Error::conflict(key, backend.location(), 0, version));
        }
        let mut record = archived.record;
        let blob_ids = record.metadata.blob_ids.as_deref().unwrap_or_default();
        if let Err(error) = self.restore_blobs(&**backend, &lease, blob_ids).await {
            release(manager, &lease).await;
            return Err(error);
        }
        // Another save than the one that was archived: no run removes it for that.
        record.revision = Revision::after(Some(record.revision));
        let revision = record.revision;
        let write = Write::new(record, None).with_ttl(ttl).with_action(Action::Restore);
        let saved = backend.save_and_release(&lease, &write).await;
        if saved.is_err() {
            release(manager, &lease).await;
        }
        saved.map(|()| Some(revision))
    }

    /// Reads every file, and compares it with its manifest: that all of it can be restored, but
    /// for blobs that were missing when it was archived.
    /// The report says how much there is.
    ///
    /// # Errors
    /// [`Error::Backend`] if something is damaged, with what.
    pub async fn verify(&self) -> Result<Report, Error> {
        let verified = async {
            let mut report = Report::default();
            for (name, manifest) in self.manifests().await? {
                let entries = checked(&self.place, &name, &manifest).await?;
                if entries.len() != manifest.entries.len() {
                    return Err(Problem::Damaged("it has not all that its manifest lists"));
                }
                for entry in &entries {
                    for id in entry.blob_ids()? {
                        let is_there = blobs::read(&self.place, id).await?.is_some();
                        if !is_there && !manifest.missing_blobs.contains(&id) {
                            return Err(Problem::Damaged("a blob that it names is missing"));
                        }
                    }
                }
                report.files += 1;
                report.archived += entries.len() as u64;
                report.bytes += manifest.bytes;
            }
            Ok(report)
        };
        verified.await.map_err(|problem| self.failed(problem))
    }

    pub(super) async fn manifests(&self) -> Result<Vec<(String, Manifest)>, Problem> {
        let mut manifests = Vec::new();
        for name in self.place.list().await?.sealed {
            let manifest = self.place.read_manifest(&name).await?;
            manifests.push((name, manifest));
        }
        Ok(manifests)
    }

    pub(super) fn failed(&self, problem: Problem) -> Error {
        Error::backend(None, &self.place.location(), "read", problem)
    }
}

/// How long it may live yet; nothing if that is over.
fn time_left(archived: &Archived) -> Result<Option<Duration>, ()> {
    let Some(at) = archived.found.expires_at else { return Ok(None) };
    at.duration_since(SystemTime::now()).map(Some).map_err(|_| ())
}

/// It would run out by itself.
async fn release(manager: &StateManager, lease: &Lease) {
    if let Err(error) = manager.backend().release_lease(lease).await {
        tracing::warn!(key = %lease.key(), %error, "the lease was not given back");
    }
}
