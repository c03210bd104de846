//! Blobs: the fields of one hash in the record's slot.
//!
//! The hash expires as a whole, a while after the record. So that a record never outlives what it
//! names, it stays from before a save until behind it; who dies in between leaves blobs that do not
//! expire, and the next sweep of the key finds them. As long as something of the key is set aside,
//! which does not expire and may name any, the hash does not either.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::Value;

use super::problem::{Failure, Problem};
use super::records::Records;
use super::request::{INLINE_BYTES, Request, command};
use super::saving::LONGEST_TTL;
use super::scripts::{EXPIRE_BLOBS, KEEP_BLOBS, REMOVE_BLOBS, SAVE_BLOB, Script};
use crate::backend::blobs::checked;
use crate::backend::{BlobBackend, Lease, Write};
use crate::blob::BlobId;
use crate::error::Error;
use crate::key::StateKey;
use crate::record::version_of;

const SAVE: &str = "save a blob of";
const KEEP: &str = "keep the blobs of";
const LOAD: &str = "load a blob of";
const LIST: &str = "list the blobs of";
const REMOVE: &str = "remove blobs of";

/// Blobs stay for so long after their record: a call that found it before it expired may still look
/// at them.
const AFTER_THE_RECORD: Duration = Duration::from_secs(60 * 60);

impl Records {
    /// Saves a record, and sees to it that what it names lives for as long.
    pub(super) async fn save_with_blobs(
        &self,
        lease: &Lease,
        write: &Write,
        release: bool,
    ) -> Result<(), Error> {
        let named = write.record.metadata.blob_ids.as_deref().unwrap_or_default();
        if let Some(missing) = self.keep_blobs(lease, named).await? {
            return Err(self.not_kept(lease.key(), write, missing).await);
        }
        let Some(ttl) = write.ttl else { return self.save(lease, write, release).await };
        self.save(lease, write, false).await?;
        if let Err(error) = self.expire_blobs(lease, ttl).await {
            tracing::warn!(key = %lease.key(), %error, "the blobs of an expiring state stay");
        }
        if release {
            self.give_back(lease).await;
        }
        Ok(())
    }

    /// Gives one that is not there. That the lease is lost is for the save to say, which may have
    /// been done before.
    async fn keep_blobs(&self, lease: &Lease, named: &[BlobId]) -> Result<Option<BlobId>, Error> {
        let digits: Vec<_> = named.iter().map(BlobId::digits).collect();
        let digits: Vec<_> = digits.iter().map(String::as_bytes).collect();
        let said = self.change_blobs(lease, &KEEP_BLOBS, &digits, KEEP).await?;
        Ok(BlobId::from_digits(&said))
    }

    /// A blob goes with the record that named it: where that is another one by now, this is the
    /// reason.
    async fn not_kept(&self, key: &StateKey, write: &Write, missing: BlobId) -> Error {
        let found = match self.load(key).await {
            Ok(record) => record.map(|record| record.revision),
            Err(error) => return error,
        };
        if found == write.expected || found == Some(write.record.revision) {
            return Error::blob_missing(key, self.location(), missing);
        }
        Error::conflict(key, self.location(), version_of(write.expected), version_of(found))
    }

    async fn expire_blobs(&self, lease: &Lease, ttl: Duration) -> Result<(), Error> {
        if ttl > LONGEST_TTL {
            return Ok(());
        }
        let millis = (ttl + AFTER_THE_RECORD).as_millis().to_string();
        self.change_blobs(lease, &EXPIRE_BLOBS, &[millis.as_bytes()], KEEP).await.map(drop)
    }

    /// Runs a script on the blobs of the lease's key, and gives the word that it says.
    async fn change_blobs(
        &self,
        lease: &Lease,
        script: &'static Script,
        rest: &[&[u8]],
        operation: &'static str,
    ) -> Result<String, Error> {
        let attempt = self.attempt(lease)?;
        let failed = |failure| self.failed(Some(lease.key()), operation, failure);
        let blobs = self.keys.blobs(attempt.record());
        let aside = self.keys.aside(lease.key());
        let keys = [attempt.lease_name(), &blobs, &aside];
        let arguments = [&[attempt.id().as_bytes()], rest].concat();
        let request = Request::new().then_script(script, &keys, &arguments);
        let bytes = rest.iter().map(|part| part.len()).sum();
        let request = if bytes > INLINE_BYTES { request.of_bytes(bytes) } else { request };
        let said = self.word(&self.and_wait(request)).await.map_err(failed)?;
        said.replicated.map_err(|problem| failed(problem.into()))?;
        Ok(said.word)
    }

    /// The same, where it is an error that the lease is lost.
    async fn change_blobs_under(
        &self,
        lease: &Lease,
        script: &'static Script,
        rest: &[&[u8]],
        operation: &'static str,
    ) -> Result<(), Error> {
        match &*self.change_blobs(lease, script, rest, operation).await? {
            "done" => Ok(()),
            _ => Err(self.lost(lease)),
        }
    }

    /// How many bytes a blob has on the server; 0 if it is not there.
    async fn blob_bytes(&self, key: &StateKey, id: BlobId) -> Result<usize, Failure> {
        let (blobs, digits) = (self.blobs_key(key), id.digits());
        let length = command(&[b"HSTRLEN", blobs.as_bytes(), digits.as_bytes()]);
        match self.value(&Request::one(length)).await? {
            Value::Int(length) => Ok(usize::try_from(length).unwrap_or(0)),
            _ => Err(Problem::Strange("no length").into()),
        }
    }

    fn blobs_key(&self, key: &StateKey) -> String {
        self.keys.blobs(&self.keys.record(key))
    }
}

#[async_trait]
impl BlobBackend for Records {
    async fn save_blob(&self, lease: &Lease, id: BlobId, bytes: &Bytes) -> Result<(), Error> {
        let key = lease.key();
        let failed = |failure| self.failed(Some(key), SAVE, failure);
        // Where replicas have to have it too, it is sent once more: nobody knows whether they have.
        if !bytes.is_empty()
            && self.network.replicas() == 0
            && self.blob_bytes(key, id).await.map_err(failed)? == bytes.len()
        {
            return Ok(());
        }
        let digits = id.digits();
        self.change_blobs_under(lease, &SAVE_BLOB, &[digits.as_bytes(), bytes], SAVE).await
    }

    async fn load_blob(&self, key: &StateKey, id: BlobId) -> Result<Option<Bytes>, Error> {
        let failed = |failure| self.failed(Some(key), LOAD, failure);
        let bytes = self.blob_bytes(key, id).await.map_err(failed)?;
        let (blobs, digits) = (self.blobs_key(key), id.digits());
        let get = command(&[b"HGET", blobs.as_bytes(), digits.as_bytes()]);
        let get = Request::one(get);
        let get = if bytes > INLINE_BYTES { get.of_bytes(bytes) } else { get };
        match self.value(&get).await.map_err(failed)? {
            Value::BulkString(content) => {
                checked(key, self.location(), id, content.into()).await.map(Some)
            }
            Value::Nil => Ok(None),
            _ => Err(failed(Problem::Strange("no value").into())),
        }
    }

    async fn list_blobs(&self, key: &StateKey) -> Result<Vec<BlobId>, Error> {
        let failed = |failure| self.failed(Some(key), LIST, failure);
        let blobs = self.blobs_key(key);
        let answer = self.value(&Request::one(command(&[b"HKEYS", blobs.as_bytes()]))).await;
        let names: Vec<String> = redis::from_redis_value(answer.map_err(failed)?)
            .map_err(|_| failed(Problem::Strange("not the parts of a hash").into()))?;
        Ok(names.iter().filter_map(|name| BlobId::from_digits(name)).collect())
    }

    async fn check_readable(&self, key: &StateKey) -> Result<(), Error> {
        self.check_asides(key).await
    }

    async fn remove_blobs(&self, lease: &Lease, ids: &[BlobId]) -> Result<(), Error> {
        let digits: Vec<_> = ids.iter().map(BlobId::digits).collect();
        let digits: Vec<_> = digits.iter().map(String::as_bytes).collect();
        self.change_blobs_under(lease, &REMOVE_BLOBS, &digits, REMOVE).await
    }
}
