//! Leases. The clock is the server's.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;

use super::acquiring::Acquiring;
use super::claim::{self, Attempt, REMEMBERED};
use super::keys::Names;
use super::known::KnownRecord;
use super::problem::{Failure, Problem};
use super::records::{INLINE_BYTES, Records};
use super::request::Request;
use super::scripts::{RELEASE, RENEW, TAKE_OVER};
use super::taking::{self, Beginning, Looked};
use crate::backend::{Lease, Opened};
use crate::error::Error;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::record::Record;

const TAKE: &str = "take the lease on";

impl Records {
    /// Takes a lease. If nobody waits for it any more it is given back.
    pub(super) async fn acquire(
        self: &Arc<Self>,
        key: &StateKey,
        holder: &Holder,
        and_load: bool,
    ) -> Result<Opened, Error> {
        let (records, key, holder) = (Arc::clone(self), key.clone(), holder.clone());
        let taking = async move { records.take(&key, &holder, and_load).await };
        Acquiring::new(self, taking).await
    }

    async fn take(&self, key: &StateKey, holder: &Holder, and_load: bool) -> Result<Opened, Error> {
        let attempt = Attempt::new();
        let known = if and_load { self.known.get(key) } else { None };
        let bytes = match &known {
            Some(known) => known.beginning.len(),
            // One more than what is read here tells that there is more.
            None if and_load => INLINE_BYTES + 1,
            None => 1,
        };
        let taken = self.take_and_look(&self.keys.of(key), &attempt, holder, bytes).await;
        let looked = match taken.map_err(|failure| self.failed(Some(key), TAKE, failure))? {
            Ok(looked) => looked,
            Err(held_by) => return Ok(Opened::Held(held_by)),
        };
        let lease = attempt.lease(key.clone(), looked.micros);
        let record = match looked.record {
            Ok(Some(found)) if and_load => self.found(key, found, known).await,
            Ok(_) => Ok(None),
            Err(refusal) => Err(self.failed(Some(key), "load", Problem::from(refusal).into())),
        };
        if record.is_err() {
            self.give_back(&lease).await;
        }
        Ok(Opened::Acquired { lease, record: record? })
    }

    /// Takes the lease, unless somebody holds it.
    async fn take_and_look(
        &self,
        names: &Names,
        attempt: &Attempt,
        holder: &Holder,
        bytes: usize,
    ) -> Result<Result<Looked, Holder>, Failure> {
        let request = taking::request(names, attempt, holder, &self.lease_lives(), bytes);
        loop {
            let looked = Looked::of(self.value(&request).await?)?;
            match &looked.lease {
                // An attempt that is repeated because its answer was lost finds its own lease.
                Some(found) if !attempt.has_taken(found) => {
                    if looked.lasts() {
                        return Ok(Err(claim::holder(found)));
                    }
                    if let Some(held_by) = self.take_over(names, attempt, holder, found).await? {
                        return Ok(Err(held_by));
                    }
                }
                _ => return Ok(Ok(looked)),
            }
        }
    }

    /// Takes a lease that has run out. Gives who else was first.
    async fn take_over(
        &self,
        names: &Names,
        attempt: &Attempt,
        holder: &Holder,
        seen: &[u8],
    ) -> Result<Option<Holder>, Failure> {
        let value = attempt.value(holder);
        let request = Request::new().then_script(
            &TAKE_OVER,
            &[&names.lease],
            &[seen, &value, self.lease_lives().as_bytes(), millis(REMEMBERED).as_bytes()],
        );
        match self.value(&request).await? {
            Value::BulkString(found) if !attempt.has_taken(&found) => {
                Ok(Some(claim::holder(&found)))
            }
            _ => Ok(None),
        }
    }

    /// The record whose value begins so.
    async fn found(
        &self,
        key: &StateKey,
        found: Beginning,
        known: Option<KnownRecord>,
    ) -> Result<Option<Record>, Error> {
        if let Some(known) = known {
            let is_same = usize::try_from(found.length) == Ok(known.length);
            if is_same && found.bytes == known.beginning {
                return Ok(Some(known.record));
            }
        } else if found.is_whole() {
            return self.read(key, &found.bytes.into()).map(Some);
        }
        let document = self.large_document(key, found.length).await?;
        document.map(|document| self.read(key, &document)).transpose()
    }

    /// How many milliseconds the key of a lease lives.
    fn lease_lives(&self) -> String {
        millis(self.lease_ttl + REMEMBERED)
    }

    pub(super) async fn renew(&self, lease: &Lease) -> Result<(), Error> {
        let attempt = self.attempt(lease)?;
        let request = Request::new().then_script(
            &RENEW,
            &[&self.keys.of(lease.key()).lease],
            &[attempt.id().as_bytes(), self.lease_lives().as_bytes()],
        );
        match self.word(&request).await {
            Ok(said) if said.word == "done" => Ok(()),
            Ok(_) => Err(self.lost(lease)),
            Err(failure) => Err(self.failed(Some(lease.key()), "renew the lease on", failure)),
        }
    }

    pub(super) async fn release(&self, lease: &Lease) -> Result<(), Error> {
        // What is no lease of ours need not be given back.
        let Some(attempt) = Attempt::of(lease) else { return Ok(()) };
        let names = self.keys.of(lease.key());
        let request =
            Request::new().then_script(&RELEASE, &[&names.lease], &[attempt.id().as_bytes()]);
        let released = self.word(&request).await;
        let failed = |failure| self.failed(Some(lease.key()), "give back the lease on", failure);
        released.map(drop).map_err(failed)
    }

    /// Gives a lease back that nobody will use.
    pub(super) async fn give_back(&self, lease: &Lease) {
        if let Err(error) = self.release(lease).await {
            tracing::warn!(key = %lease.key(), %error, "a lease was not given back");
        }
    }

    /// The attempt that took a lease: what fences.
    pub(super) fn attempt(&self, lease: &Lease) -> Result<Arc<Attempt>, Error> {
        Attempt::of(lease).ok_or_else(|| self.lost(lease))
    }
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}
