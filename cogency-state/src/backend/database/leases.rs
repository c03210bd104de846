//! Leases. The clock is the server's.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use uuid::Uuid;

use super::apart::Layout;
use super::dialect::Script;
use super::problem::{Failure, Problem};
use super::records::{LARGE, Records};
use super::row;
use super::standing::{self, Standing};
use crate::backend::{Lease, Opened};
use crate::error::Error;
use crate::holder::Holder;
use crate::key::StateKey;

/// Where `take` has a record.
const TAKEN: Layout = Layout { record: 3, is_apart: 10, entry: 23 };

/// One attempt to take a lease, by an id that no other has: what fences.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) id: String,
    /// By whom a save under it is.
    pub(super) by: String,
    /// Who that is.
    pub(super) holder: Holder,
    /// Where the key's history stood when it was last looked at.
    pub(super) standing: Mutex<Standing>,
}

impl Attempt {
    pub(super) fn new(holder: &Holder) -> Self {
        let by = format!("{}:{}", holder.host, holder.process);
        let standing = Mutex::default();
        Self { id: Uuid::new_v4().to_string(), by, holder: holder.clone(), standing }
    }

    /// The attempt that took a lease of ours.
    pub(super) fn of(lease: &Lease) -> Option<Arc<Self>> {
        lease.guard()
    }
}

impl Records {
    /// Takes a lease, and looks at the record if asked to.
    pub(super) async fn take(
        &self,
        key: &StateKey,
        holder: &Holder,
        and_load: bool,
    ) -> Result<Opened, Error> {
        let attempt = Attempt::new(holder);
        let known = if and_load { self.known.get(key) } else { None };
        let known_id = known.as_ref().map(|known| known.record.revision.write_id.to_string());
        // A holder is numbers and a name: it is JSON in any case.
        let holder = serde_json::to_string(holder).unwrap_or_default();
        let arguments = [
            key.user_id().into(),
            key.session_id().into(),
            attempt.id.as_str().into(),
            holder.as_str().into(),
            micros(self.lease_ttl).into(),
            and_load.into(),
            known_id.as_deref().into(),
            known.as_ref().map(|known| i64::from(known.is_apart)).into(),
        ];
        let failed = |failure| self.failed(Some(key), "take the lease on", failure);
        let bytes = if and_load { LARGE } else { 0 };
        // Of a state that nobody here knows nobody knows how large it is.
        let is_alone = and_load && !self.known.is_small(key);
        let answer = loop {
            let answer = self.ask_alone_if(is_alone, Script::Take, &arguments, bytes).await;
            let answer = answer.map_err(failed)?;
            // No row: whoever had it gave it back in just that moment.
            if !answer.rows.is_empty() {
                break answer;
            }
        };
        let failed = |problem: Problem| failed(Failure::from(problem));
        let found = answer.row().map_err(failed)?;
        if found.int(0).map_err(failed)? != Some(1) {
            let holder = row::text(found, 2).ok().flatten();
            let holder = holder.and_then(|holder| serde_json::from_str(&holder).ok());
            return Ok(Opened::Held(holder.unwrap_or_else(Holder::unknown)));
        }
        let token = found.int(1).map_err(failed)?.unwrap_or(0);
        let token = u64::try_from(token).unwrap_or(0);
        let standing = standing::of(found, 11).map_err(failed);
        if let Ok(standing) = &standing {
            attempt.stands(standing.clone());
        }
        let lease = Lease::new(key.clone(), token).with_guard(Arc::new(attempt));
        let record = match self.find_record(key, &answer.rows, TAKEN, known) {
            Ok(Some(found)) => self.whole(found).await.map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        if record.is_err() || standing.is_err() {
            self.give_back(&lease).await;
        }
        standing?;
        Ok(Opened::Acquired { lease, record: record? })
    }

    pub(super) async fn renew(&self, lease: &Lease) -> Result<(), Error> {
        let attempt = Attempt::of(lease).ok_or_else(|| self.lost(lease))?;
        let key = lease.key();
        let arguments = [
            key.user_id().into(),
            key.session_id().into(),
            attempt.id.as_str().into(),
            micros(self.lease_ttl).into(),
        ];
        let answer = self.ask(Script::Renew, &arguments, 0).await;
        let answer =
            answer.map_err(|failure| self.failed(Some(key), "renew the lease on", failure))?;
        if answer.rows.is_empty() { Err(self.lost(lease)) } else { Ok(()) }
    }

    pub(super) async fn release(&self, lease: &Lease) -> Result<(), Error> {
        // What is no lease of ours need not be given back.
        let Some(attempt) = Attempt::of(lease) else { return Ok(()) };
        let key = lease.key();
        let arguments = [key.user_id().into(), key.session_id().into(), attempt.id.as_str().into()];
        let released = self.ask(Script::Release, &arguments, 0).await;
        let failed = |failure| self.failed(Some(key), "give back the lease on", failure);
        released.map(drop).map_err(failed)
    }

    /// Gives a lease back that nobody will use.
    pub(super) async fn give_back(&self, lease: &Lease) {
        if let Err(error) = self.release(lease).await {
            tracing::warn!(key = %lease.key(), %error, "a lease was not given back");
        }
    }
}

/// Whole milliseconds, as microseconds: what lies between two is rounded up.
pub(super) fn micros(duration: Duration) -> i64 {
    let millis = (duration + Duration::from_nanos(999_999)).as_millis();
    i64::try_from(millis).unwrap_or(i64::MAX / 1000).saturating_mul(1000)
}
