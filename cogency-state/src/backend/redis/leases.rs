//! Leases. The clock is the server's.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;

use super::claim::{self, Attempt, Expiry, REMEMBERED};
use super::known::{KnownRecord, More};
use super::problem::Failure;
use super::records::{Records, is_whole};
use super::request::{Request, command};
use super::scripts::{RELEASE, RENEW, TAKE_OVER};
use super::taking::{Look, Looked, ONLY_THE_LEASE};
use crate::backend::{Lease, Opened};
use crate::error::Error;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::record::Record;
use crate::to_its_end::ToItsEnd;

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
        let back = Arc::clone(self);
        ToItsEnd::or_else(taking, |taken| async move {
            if let Ok(Opened::Acquired { lease, .. }) = taken {
                back.give_back(&lease).await;
            }
        })
        .await
    }

    async fn take(&self, key: &StateKey, holder: &Holder, and_load: bool) -> Result<Opened, Error> {
        let known = if and_load { self.known.get(key) } else { None };
        let look = match &known {
            Some(known) => Look::Known(known),
            None if and_load => Look::Unknown,
            None => Look::Type,
        };
        let attempt = Attempt::new(self.keys.of(key), holder);
        let taken = self.take_and_look(&attempt, look).await;
        let failed = |failure| self.failed(Some(key), "take the lease on", failure);
        let looked = match taken {
            Ok(Ok(looked)) => looked,
            Ok(Err(held_by)) => return Ok(Opened::Held(held_by)),
            Err(failure) => {
                // What was refused may be the look.
                if failure.problem.is_of_a_part() {
                    self.give_back(&attempt.lease(key.clone(), 0)).await;
                }
                return Err(failed(failure));
            }
        };
        let lease = attempt.lease(key.clone(), looked.micros);
        let record = if and_load { self.found(&lease, looked, known).await } else { Ok(None) };
        if record.is_err() {
            self.give_back(&lease).await;
        }
        Ok(Opened::Acquired { lease, record: record? })
    }

    /// Takes the lease, unless somebody holds it.
    async fn take_and_look(
        &self,
        attempt: &Attempt,
        look: Look<'_>,
    ) -> Result<Result<Looked, Holder>, Failure> {
        let with_standing = self.retention.is_some() && !look.stands().is_known();
        let (lives, lasts) = (self.lease_lives(), millis(self.lease_ttl));
        let request = look.request(attempt, &lives, &lasts, with_standing);
        loop {
            let answers = self.network.ask(&request).await?.values;
            let looked = Looked::of(look, with_standing, answers)?;
            match &looked.lease {
                // An attempt that is repeated because its answer was lost finds its own lease.
                Some(found) if !attempt.has_taken(found) => {
                    if let Some(held_by) = self.take_over(attempt).await? {
                        return Ok(Err(held_by));
                    }
                }
                // Only what was seen under the lease counts: until then somebody else may have saved.
                _ => {
                    attempt.keep(looked.expires);
                    attempt.saw(looked.micros, looked.stands.clone());
                    return Ok(Ok(looked));
                }
            }
        }
    }

    /// Takes a lease if it has run out. Gives who holds it else.
    async fn take_over(&self, attempt: &Attempt) -> Result<Option<Holder>, Failure> {
        let value = attempt.value();
        let request = Request::new().then_script(
            &TAKE_OVER,
            &[attempt.lease_name()],
            &[&value, self.lease_lives().as_bytes(), millis(REMEMBERED).as_bytes()],
        );
        match self.value(&request).await? {
            Value::BulkString(found) if !attempt.has_taken(&found) => {
                Ok(Some(claim::holder(&found)))
            }
            _ => Ok(None),
        }
    }

    /// The record that was seen.
    async fn found(
        &self,
        lease: &Lease,
        looked: Looked,
        known: Option<KnownRecord>,
    ) -> Result<Option<Record>, Error> {
        let (key, Looked { beginning, more, expires, .. }) = (lease.key(), looked);
        let was_large = known.as_ref().is_some_and(KnownRecord::is_large);
        let attempt = self.attempt(lease)?;
        if expires.is_some() && known.as_ref().is_some_and(|known| known.more().is_immortal) {
            self.keep(key, &attempt).await?;
        }
        match &known {
            None if more == Some(ONLY_THE_LEASE) => return Ok(None),
            Some(known) if known.is(&beginning, more) => return Ok(Some(known.record.clone())),
            _ => {}
        }
        if let Some(known) = &known {
            attempt.found_another(known.more().stands.is_known() && !known.more().is_shared);
        }
        let document = if is_whole(&beginning) && !was_large {
            beginning.into()
        } else {
            let Some(document) = self.whole_document(key).await? else { return Ok(None) };
            document
        };
        let record = self.record_of(key, document.clone(), known.as_ref()).await?;
        if let Some(record) = &record {
            let (stands, is_immortal) = (attempt.stands(), expires.is_none());
            let is_shared = attempt.is_shared();
            self.knows(record, &document, |entry| More { entry, stands, is_immortal, is_shared });
        }
        Ok(record)
    }

    /// Keeps a record with its history, which is not the one that was known never to expire, or was
    /// given a time by another program.
    async fn keep(&self, key: &StateKey, attempt: &Attempt) -> Result<(), Error> {
        let lasts = millis(self.lease_ttl);
        let keep = |name: &str| command(&[b"PEXPIRE", name.as_bytes(), lasts.as_bytes(), b"GT"]);
        let names = [attempt.record(), attempt.history(), attempt.contents()];
        let request = names.iter().fold(Request::new(), |all, name| all.then(keep(name)));
        let kept = self.value(&request).await;
        kept.map(drop).map_err(|failure| self.failed(Some(key), "keep", failure))
    }

    /// How many milliseconds the key of a lease lives.
    fn lease_lives(&self) -> String {
        millis(self.lease_ttl + REMEMBERED)
    }

    pub(super) async fn renew(&self, lease: &Lease) -> Result<(), Error> {
        let attempt = self.attempt(lease)?;
        let (lives, lasts) = (self.lease_lives(), millis(self.lease_ttl));
        let keeps = !matches!(attempt.expiry(), Expiry::Never);
        let request = Request::new().then_script(
            &RENEW,
            &attempt.keys(keeps),
            &[attempt.id().as_bytes(), lives.as_bytes(), lasts.as_bytes()],
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
        let expires = match attempt.expiry() {
            Expiry::At(expires) => Some(expires.to_string()),
            Expiry::Never | Expiry::Unknown => None,
        };
        let mut arguments = vec![attempt.id().as_bytes()];
        arguments.extend(expires.as_deref().map(str::as_bytes));
        let keys = attempt.keys(expires.is_some());
        let request = Request::new().then_script(&RELEASE, &keys, &arguments);
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
