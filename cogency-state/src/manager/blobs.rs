//! The blobs of states: stored before the state that names them, loaded when somebody asks, and
//! swept when nothing names them any more.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::hold::Hold;
use super::spool::Spool;
use super::{Inner, StateManager};
use crate::aside::AsideReason;
use crate::backend::{BlobBackend, Lease, StateBackend, Sweep, Write};
use crate::blob::{Blob, BlobId, Origin, Source};
use crate::error::Error;
use crate::key::StateKey;

/// A version that is pruned leaves blobs that nothing names: they are looked for with one in so many
/// saves.
const SWEEP_EVERY: u64 = 16;
/// So many entries of a history at once.
const PAGE: usize = 256;

/// Where the blobs of a manager's states are: in its backend, or on their way there.
#[derive(Debug)]
pub(super) struct Blobs {
    backend: Arc<dyn StateBackend>,
    spool: Option<Arc<Spool>>,
    /// Its warm states may hold blobs, which hold this.
    manager: Weak<Inner>,
}

impl Blobs {
    pub(super) fn new(
        backend: Arc<dyn StateBackend>,
        spool: Option<Arc<Spool>>,
        manager: Weak<Inner>,
    ) -> Self {
        Self { backend, spool, manager }
    }

    fn backend(&self) -> Result<&dyn BlobBackend, Error> {
        self.backend.blobs().ok_or_else(|| Error::no_blobs(self.backend.location()))
    }

    /// What the backend has, unless it is known to be away.
    async fn stored(&self, key: &StateKey, id: BlobId) -> Result<Option<Bytes>, Error> {
        let manager = self.manager.upgrade().map(|inner| StateManager { inner });
        let outage =
            manager.as_ref().and_then(|manager| Some((manager, manager.inner.outage.as_ref()?)));
        if let Some((manager, outage)) = outage
            && let Some(refusal) = outage.refusal(manager, key)
        {
            return Err(refusal);
        }
        let loaded = self.backend()?.load_blob(key, id).await;
        if let (Some((manager, outage)), Err(error)) = (outage, &loaded)
            && error.is_outage()
        {
            outage.went_away(manager, key, error);
        }
        loaded
    }

    async fn spooled(&self, key: &StateKey, id: BlobId) -> Result<Option<Bytes>, Error> {
        let Some(spool) = &self.spool else { return Ok(None) };
        let found = spool.blob(key, id).await;
        found.map_err(|error| Error::backend(Some(key), "the spool", "load a blob of", error))
    }
}

#[async_trait]
impl Source for Blobs {
    async fn load_blob(&self, key: &StateKey, id: BlobId) -> Result<Bytes, Error> {
        // While something waits for the backend that is likely to be out of reach.
        if self.spool.as_ref().is_some_and(|spool| spool.has_pending(key))
            && let Some(bytes) = self.spooled(key, id).await?
        {
            return Ok(bytes);
        }
        if let Some(bytes) = self.stored(key, id).await? {
            return Ok(bytes);
        }
        // That of a state which is in conflict.
        let spooled = self.spooled(key, id).await?;
        spooled.ok_or_else(|| Error::blob_missing(key, self.backend.location(), id))
    }
}

impl StateManager {
    /// Where the blobs of a key are.
    pub(super) fn origin(&self, key: &StateKey) -> Origin {
        let source: Arc<dyn Source> = Arc::clone(&self.inner.blobs) as _;
        Origin { source, key: key.clone() }
    }

    /// Has a save store the blobs of its state that are not stored yet. `before` are those of the
    /// state that it was made from.
    pub(super) async fn with_blobs(
        &self,
        write: &mut Write,
        blobs: Vec<Blob>,
        before: Option<Vec<BlobId>>,
    ) -> Result<(), Error> {
        let mut named: Vec<_> = blobs.iter().map(Blob::id).collect();
        let before = before.as_deref();
        named_as_text(&mut named, before.unwrap_or_default(), &write.record.state);
        write.sweep = self.sweep_of(write, &named, before);
        write.record.metadata.blob_ids = (before.is_some() || !named.is_empty()).then_some(named);
        if !blobs.is_empty() && !self.backend().capabilities().blobs {
            return Err(Error::no_blobs(self.location()));
        }
        for blob in blobs {
            let is_stored = before.is_some_and(|stored| stored.contains(&blob.id()));
            if let Some(bytes) = blob.here().cloned() {
                write.blobs.push(blob.with_bytes(bytes));
            } else if !is_stored {
                let origin = blob.origin().cloned();
                let origin = origin.unwrap_or_else(|| self.origin(&write.record.key));
                let bytes = origin.source.load_blob(&origin.key, blob.id()).await?;
                write.blobs.push(blob.with_bytes(bytes));
            }
        }
        Ok(())
    }

    fn sweep_of(&self, write: &Write, named: &[BlobId], before: Option<&[BlobId]>) -> Sweep {
        if write.expected.is_none() {
            // A state that expired may have left some.
            let may_be_left = write.ttl.is_some() && self.backend().blobs().is_some();
            let is_due = !named.is_empty() || may_be_left;
            return if is_due { Sweep::Before } else { Sweep::Never };
        }
        let Some(before) = before else { return Sweep::Never };
        let keeps_versions = self.backend().capabilities().history;
        if !keeps_versions && before.iter().any(|id| !named.contains(id)) {
            return Sweep::Behind;
        }
        let is_due = write.record.revision.version.is_multiple_of(SWEEP_EVERY);
        if is_due { Sweep::Before } else { Sweep::Never }
    }

    /// Stores blobs under a lease.
    pub(super) async fn store_blobs(&self, lease: &Lease, blobs: &[Blob]) -> Result<(), Error> {
        for blob in blobs {
            if let Some(bytes) = blob.here() {
                self.inner.blobs.backend()?.save_blob(lease, blob.id(), bytes).await?;
            }
        }
        Ok(())
    }

    /// Stores what a record of another place names, under the lease of the one that it comes to.
    pub(super) async fn bring_blobs(
        &self,
        hold: &Hold,
        from: &StateKey,
        ids: &[BlobId],
    ) -> Result<(), Error> {
        let Some(lease) = hold.lease() else { return Ok(()) };
        for id in ids {
            let bytes = self.inner.blobs.load_blob(from, *id).await?;
            self.inner.blobs.backend()?.save_blob(lease, *id, &bytes).await?;
        }
        Ok(())
    }

    /// Removes the blobs of a key that nothing names any more.
    pub(crate) async fn sweep_blobs(&self, key: &StateKey, wait: Duration) -> Result<(), Error> {
        let Some(blobs) = self.backend().blobs() else { return Ok(()) };
        if blobs.list_blobs(key).await?.is_empty() {
            return Ok(());
        }
        let hold = Hold::acquire(self, self.place(key), wait).await?;
        let swept = match hold.lease() {
            Some(lease) => self.sweep(lease, &[]).await,
            None => Ok(()),
        };
        hold.release().await;
        swept
    }

    /// The same where it can wait: for a key that is busy a later save does it.
    pub(crate) async fn sweep_blobs_if_free(&self, key: &StateKey) {
        if let Err(error) = self.sweep_blobs(key, Duration::ZERO).await {
            tracing::debug!(%key, %error, "blobs that nothing names are left for later");
        }
    }

    /// The same under a lease, where nothing else depends on it. These are known to be named.
    pub(crate) async fn sweep_under(&self, lease: &Lease, named: &[BlobId]) {
        if let Err(error) = self.sweep(lease, named).await {
            tracing::warn!(key = %lease.key(), %error, "blobs that nothing names were left");
        }
    }

    /// The same ahead of a save, which does not wait for a backend that is out of reach once more.
    pub(super) async fn sweep_before(&self, lease: &Lease, named: &[BlobId]) -> Result<(), Error> {
        match self.sweep(lease, named).await {
            Err(error) if error.is_outage() => Err(error),
            Err(error) => {
                tracing::warn!(key = %lease.key(), %error, "blobs that nothing names were left");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn sweep(&self, lease: &Lease, named: &[BlobId]) -> Result<(), Error> {
        let Some(blobs) = self.backend().blobs() else { return Ok(()) };
        let mut strays: HashSet<_> = blobs.list_blobs(lease.key()).await?.into_iter().collect();
        spare(&mut strays, Some(named));
        self.spare_named(lease.key(), &mut strays).await?;
        if strays.is_empty() {
            return Ok(());
        }
        blobs.check_readable(lease.key()).await?;
        let strays: Vec<_> = strays.into_iter().collect();
        tracing::debug!(key = %lease.key(), blobs = strays.len(), "blobs that nothing names go");
        blobs.remove_blobs(lease, &strays).await
    }

    /// Takes out what something names. What cannot be read may name any.
    async fn spare_named(&self, key: &StateKey, strays: &mut HashSet<BlobId>) -> Result<(), Error> {
        if strays.is_empty() {
            return Ok(());
        }
        if let Some(record) = self.backend().load_state(key).await? {
            spare(strays, record.metadata.blob_ids.as_deref());
        }
        self.spare_spooled(key, strays).await?;
        self.spare_in_history(key, strays).await?;
        self.spare_aside(key, strays).await
    }

    async fn spare_spooled(
        &self,
        key: &StateKey,
        strays: &mut HashSet<BlobId>,
    ) -> Result<(), Error> {
        let Some(spool) = &self.inner.blobs.spool else { return Ok(()) };
        let named = spool.blob_ids(key).await;
        let failed = |error| Error::backend(Some(key), "the spool", "list the blobs of", error);
        spare(strays, Some(&named.map_err(failed)?));
        Ok(())
    }

    async fn spare_in_history(
        &self,
        key: &StateKey,
        strays: &mut HashSet<BlobId>,
    ) -> Result<(), Error> {
        let Some(history) = self.backend().history() else { return Ok(()) };
        let mut before = None;
        while !strays.is_empty() {
            let entries = history.list_history(key, before, PAGE).await?;
            let Some(last) = entries.last() else { break };
            before = Some(last.sequence);
            if entries.iter().any(|entry| !entry.are_blobs_known) {
                strays.clear();
            }
            for entry in &entries {
                spare(strays, Some(&entry.blob_ids));
            }
        }
        Ok(())
    }

    async fn spare_aside(&self, key: &StateKey, strays: &mut HashSet<BlobId>) -> Result<(), Error> {
        if strays.is_empty() || !self.backend().capabilities().aside {
            return Ok(());
        }
        for aside in self.backend().list_aside(Some(key.user_id())).await? {
            if aside.key != *key {
                continue;
            }
            match self.backend().load_aside(key, aside.id).await {
                Ok(Some(record)) => spare(strays, record.metadata.blob_ids.as_deref()),
                Ok(None) => {}
                Err(error) if AsideReason::of(&error).is_some() => strays.clear(),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Adds those of the blobs before that the new JSON still names: a type that does not know of them
/// has them as plain JSON, in a `serde_json::Value` or in what `#[serde(flatten)]` keeps.
fn named_as_text(named: &mut Vec<BlobId>, before: &[BlobId], json: &[u8]) {
    if before.iter().all(|id| named.contains(id)) {
        return;
    }
    // JSON is UTF-8.
    let texts = BlobId::texts_in(std::str::from_utf8(json).unwrap_or_default());
    let kept: HashSet<_> = texts.collect();
    for id in before {
        if kept.contains(id) && !named.contains(id) {
            named.push(*id);
        }
    }
}

fn spare(strays: &mut HashSet<BlobId>, named: Option<&[BlobId]>) {
    for id in named.unwrap_or_default() {
        strays.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_json_is_named() {
        let [kept, gone, known] = ["kept", "gone", "known"].map(|text| BlobId::of(text.as_bytes()));
        let json =
            format!("{{\"a\":\"sha256:\",\"rest\":{{\"$blob\":\"{kept}\"}},\"b\":\"{known}\"}}");
        let mut named = vec![known];
        named_as_text(&mut named, &[gone, kept, known], json.as_bytes());
        assert_eq!(named, [known, kept]);
    }
}
