//! Blobs: rows beside the states, stored and removed under a lease.

use async_trait::async_trait;
use bytes::Bytes;

use super::DatabaseBackend;
use super::dialect::Script;
use super::leases::Attempt;
use super::problem::{Failure, Problem};
use super::records::{LARGE, Records};
use super::row::text;
use super::statement::Argument;
use crate::backend::blobs::checked;
use crate::backend::{BlobBackend, Lease, Opened};
use crate::blob::BlobId;
use crate::error::Error;
use crate::holder::Holder;
use crate::key::StateKey;

const SAVE: &str = "save a blob of";
const LOAD: &str = "load a blob of";
const LIST: &str = "list the blobs of";
const REMOVE: &str = "remove blobs of";

impl Records {
    /// A large blob that is there is not sent once more.
    async fn save_blob(&self, lease: &Lease, id: BlobId, bytes: &[u8]) -> Result<(), Error> {
        let there = (id, i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        if self.blobs_of(lease.key()).await?.contains(&there) {
            return Ok(());
        }
        let content = Argument::Bytes(bytes);
        self.change_blob(lease, Script::SaveBlob, id, Some(content), SAVE).await
    }

    async fn remove_blobs(&self, lease: &Lease, ids: &[BlobId]) -> Result<(), Error> {
        for id in ids {
            self.change_blob(lease, Script::RemoveBlob, *id, None, REMOVE).await?;
        }
        Ok(())
    }

    /// Removes the blobs of states that have expired: of keys of which nothing else is left. One that
    /// somebody is at work on is left for the next time.
    pub(super) async fn remove_stray_blobs(&self) -> Result<(), Error> {
        for key in self.stray_blobs(None).await? {
            let opened = self.take(&key, &Holder::current(), false).await?;
            let Opened::Acquired { lease, .. } = opened else { continue };
            let removed = self.remove_if_stray(&lease).await;
            self.give_back(&lease).await;
            removed?;
        }
        Ok(())
    }

    /// Under the lease: until then somebody may have saved.
    async fn remove_if_stray(&self, lease: &Lease) -> Result<(), Error> {
        if self.stray_blobs(Some(lease.key())).await?.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = self.blobs_of(lease.key()).await?.into_iter().map(|(id, _)| id).collect();
        self.remove_blobs(lease, &ids).await
    }

    /// The keys that have nothing but blobs; of all, or whether this one is so.
    async fn stray_blobs(&self, key: Option<&StateKey>) -> Result<Vec<StateKey>, Error> {
        let failed = |failure: Failure| self.failed(key, LIST, failure);
        let (user, session) = key.map(|key| (key.user_id(), key.session_id())).unzip();
        let arguments = [user.into(), user.into(), session.into()];
        let answer = self.ask(Script::StrayBlobs, &arguments, 0).await.map_err(failed)?;
        let keys = answer.rows.iter().map(|found| {
            let (user, session) = (text(&**found, 0)?, text(&**found, 1)?);
            let key =
                user.zip(session).and_then(|(user, session)| StateKey::new(user, session).ok());
            key.ok_or(Problem::Strange("a key that is none"))
        });
        keys.collect::<Result<_, _>>().map_err(|problem| failed(problem.into()))
    }

    async fn change_blob(
        &self,
        lease: &Lease,
        script: Script,
        id: BlobId,
        content: Option<Argument<'_>>,
        operation: &'static str,
    ) -> Result<(), Error> {
        let attempt = Attempt::of(lease).ok_or_else(|| self.lost(lease))?;
        let (key, digits) = (lease.key(), id.digits());
        let ids = [key.user_id(), key.session_id(), &attempt.id, &digits];
        let mut arguments: Vec<Argument<'_>> = ids.map(Argument::from).into();
        arguments.extend(content);
        let bytes = content.map_or(0, |content| content.bytes());
        let answer = self.ask(script, &arguments, bytes).await;
        let answer = answer.map_err(|failure| self.failed(Some(key), operation, failure))?;
        if answer.rows.is_empty() { Err(self.lost(lease)) } else { Ok(()) }
    }

    async fn load_blob(&self, key: &StateKey, id: BlobId) -> Result<Option<Bytes>, Error> {
        let failed = |failure: Failure| self.failed(Some(key), LOAD, failure);
        let digits = id.digits();
        let arguments = [key.user_id().into(), key.session_id().into(), digits.as_str().into()];
        let answer = self.ask(Script::LoadBlob, &arguments, LARGE).await.map_err(failed)?;
        let Some(found) = answer.rows.last() else { return Ok(None) };
        let content = found.bytes(0).map_err(|problem| failed(problem.into()))?;
        let content = Bytes::from(content.unwrap_or_default());
        checked(key, &self.location, id, content).await.map(Some)
    }

    /// With how many bytes each has.
    async fn blobs_of(&self, key: &StateKey) -> Result<Vec<(BlobId, i64)>, Error> {
        let failed = |failure: Failure| self.failed(Some(key), LIST, failure);
        let arguments = [key.user_id().into(), key.session_id().into()];
        let answer = self.ask(Script::ListBlobs, &arguments, 0).await.map_err(failed)?;
        let blobs = answer.rows.iter().map(|found| {
            let id = text(&**found, 0)?.and_then(|digits| BlobId::from_digits(&digits));
            let id = id.ok_or(Problem::Strange("the name of a blob is no hash"))?;
            Ok((id, found.int(1)?.unwrap_or(0)))
        });
        blobs.collect::<Result<_, Problem>>().map_err(|problem| failed(problem.into()))
    }
}

#[async_trait]
impl BlobBackend for DatabaseBackend {
    async fn save_blob(&self, lease: &Lease, id: BlobId, bytes: &Bytes) -> Result<(), Error> {
        let (lease, bytes) = (lease.clone(), bytes.clone());
        self.run(|records| async move { records.save_blob(&lease, id, &bytes).await }).await
    }

    async fn load_blob(&self, key: &StateKey, id: BlobId) -> Result<Option<Bytes>, Error> {
        let key = key.clone();
        self.run(|records| async move { records.load_blob(&key, id).await }).await
    }

    async fn list_blobs(&self, key: &StateKey) -> Result<Vec<BlobId>, Error> {
        let key = key.clone();
        let listed = self.run(|records| async move { records.blobs_of(&key).await }).await?;
        Ok(listed.into_iter().map(|(id, _)| id).collect())
    }

    async fn remove_blobs(&self, lease: &Lease, ids: &[BlobId]) -> Result<(), Error> {
        let (lease, ids) = (lease.clone(), ids.to_vec());
        self.run(|records| async move { records.remove_blobs(&lease, &ids).await }).await
    }
}
