//! Leases. The clock is the server's.
//!
//! A record that is to expire while its lease is held is kept until the lease ends, also by
//! itself: the server removes both. Given back, the lease leaves the record its own time.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use uuid::Uuid;

use super::acquiring::Acquiring;
use super::keys::Names;
use super::problem::Problem;
use super::records::{INLINE_BYTES, Records};
use super::request::Request;
use super::scripts::{ACQUIRE, RELEASE, RENEW};
use crate::backend::{Lease, Opened};
use crate::error::Error;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::record::Record;

/// How long a lease that nobody gave back is remembered. It counts for that long, unless somebody
/// else takes it.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// What the script answered.
enum Taken {
    Held(Holder),
    Free { token: u64, stored: Stored },
}

enum Stored {
    None,
    Same,
    Large(i64),
    Value(Vec<u8>),
}

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
        let known = if and_load { self.known.get(key) } else { None };
        let known_as = known.as_ref().map(|known| (&*known.beginning, known.length));
        let request = self.acquire_request(&self.keys.of(key), holder, and_load, known_as);
        let answer = self.value(&request).await.and_then(|value| Ok(taken(value)?));
        let (token, stored) = match answer {
            Ok(Taken::Held(holder)) => return Ok(Opened::Held(holder)),
            Ok(Taken::Free { token, stored }) => (token, stored),
            Err(failure) => return Err(self.failed(Some(key), "take the lease on", failure)),
        };
        let lease = Lease::new(key.clone(), token);
        let record = match (stored, known) {
            (Stored::None, _) => Ok(None),
            (Stored::Same, Some(known)) => Ok(Some(known.record)),
            (Stored::Same, None) => self.load(key).await,
            (Stored::Value(document), _) => self.read(key, &document.into()).map(Some),
            (Stored::Large(length), _) => self.load_large(key, length).await,
        };
        if record.is_err() {
            self.give_back(&lease).await;
        }
        Ok(Opened::Acquired { lease, record: record? })
    }

    async fn load_large(&self, key: &StateKey, length: i64) -> Result<Option<Record>, Error> {
        let document = self.large_document(key, length).await?;
        document.map(|document| self.read(key, &document)).transpose()
    }

    fn acquire_request(
        &self,
        names: &Names,
        holder: &Holder,
        and_load: bool,
        known: Option<(&[u8], usize)>,
    ) -> Request {
        let (beginning, length) = known.map_or((&[][..], -1), |(beginning, length)| {
            (beginning, i64::try_from(length).unwrap_or(-1))
        });
        // A holder is numbers and a name: it is JSON in any case.
        let holder = serde_json::to_vec(holder).unwrap_or_default();
        Request::new().then_script(
            &ACQUIRE,
            &[&names.record, &names.lease],
            &[
                Uuid::new_v4().to_string().as_bytes(),
                &holder,
                millis(self.lease_ttl).as_bytes(),
                millis(REMEMBERED).as_bytes(),
                if and_load { b"1" } else { b"0" },
                beginning,
                length.to_string().as_bytes(),
                INLINE_BYTES.to_string().as_bytes(),
            ],
        )
    }

    pub(super) async fn renew(&self, lease: &Lease) -> Result<(), Error> {
        let names = self.keys.of(lease.key());
        let request = Request::new().then_script(
            &RENEW,
            &[&names.record, &names.lease],
            &[
                lease.token().to_string().as_bytes(),
                millis(self.lease_ttl).as_bytes(),
                millis(REMEMBERED).as_bytes(),
            ],
        );
        match self.word(&request).await {
            Ok(said) if said.word == "done" => Ok(()),
            Ok(_) => Err(self.lost(lease)),
            Err(failure) => Err(self.failed(Some(lease.key()), "renew the lease on", failure)),
        }
    }

    pub(super) async fn release(&self, lease: &Lease) -> Result<(), Error> {
        let names = self.keys.of(lease.key());
        let token = lease.token().to_string();
        let keys = [&*names.record, &names.lease];
        let request = Request::new().then_script(&RELEASE, &keys, &[token.as_bytes()]);
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
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

fn taken(answer: Value) -> Result<Taken, Problem> {
    const STRANGE: Problem = Problem::Strange("not what the script for leases gives");
    let Value::Array(parts) = answer else { return Err(STRANGE) };
    let mut parts = parts.into_iter();
    let mut text = || match parts.next() {
        Some(Value::BulkString(text)) => String::from_utf8(text).map_err(|_| STRANGE),
        _ => Err(STRANGE),
    };
    let (first, second) = (text()?, text()?);
    if first == "held" {
        let holder = serde_json::from_str(&second).unwrap_or_else(|_| Holder::unknown());
        return Ok(Taken::Held(holder));
    }
    let token = first.parse().map_err(|_| STRANGE)?;
    let stored = match (&*second, parts.next()) {
        ("none", None) => Stored::None,
        ("same", None) => Stored::Same,
        ("large", Some(Value::Int(length))) => Stored::Large(length),
        ("value", Some(Value::BulkString(value))) => Stored::Value(value),
        _ => return Err(STRANGE),
    };
    Ok(Taken::Free { token, stored })
}
