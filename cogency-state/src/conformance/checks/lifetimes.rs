//! Records that expire.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::joint::open;
use crate::backend::{Lease, Write};
use crate::conformance::check::{Stop, Verdict, ensure, fail};
use crate::conformance::instance::{GRACE, LOOK_AGAIN};
use crate::conformance::sample;
use crate::conformance::trial::Trial;
use crate::key::StateKey;
use crate::record::Record;

/// How long the records of these checks live.
const TTL: Duration = Duration::from_millis(600);

pub(super) async fn a_record_is_gone_after_its_ttl(trial: &Trial<'_>) -> Verdict {
    let mortal = Mortal::create(trial).await?;
    while mortal.since.elapsed() < TTL / 2 {
        mortal.is_there("before its ttl was over").await?;
        sleep(LOOK_AGAIN).await;
    }
    // At least one look came late enough.
    mortal.is_there("before its ttl was over").await?;
    mortal.waits_until_gone().await?;
    trial.second().await.holds_none(&mortal.record.key, "after its ttl, elsewhere").await
}

pub(super) async fn an_expired_record_is_not_listed(trial: &Trial<'_>) -> Verdict {
    let lasting = trial.backend.create(&trial.key()?, "for ever").await?.key;
    let user = lasting.user_id();
    let mortal = Mortal::create_under(trial, trial.key_of(user, "mortal")?).await?;
    mortal.waits_until_gone().await?;
    let listed = trial.backend.list(user).await?;
    ensure!(
        !listed.contains(&mortal.record.key),
        "list_states shows {}, whose record has expired",
        mortal.record.key
    );
    ensure!(listed == [lasting], "list_states does not show the record that has no ttl");
    Ok(())
}

pub(super) async fn an_expired_record_is_not_found_under_a_lease(trial: &Trial<'_>) -> Verdict {
    let mortal = Mortal::create(trial).await?;
    mortal.waits_until_gone().await?;
    let (lease, record) = open(&trial.backend, &mortal.record.key).await?;
    sample::same(record.as_ref(), None, "acquire_and_load after its ttl")?;
    trial.backend.holds_none(lease.key(), "under a lease, after its ttl").await?;
    ensure!(
        !trial.backend.delete(&lease).await?,
        "delete_state of an expired record says that there was one"
    );
    trial.backend.release(&lease).await
}

pub(super) async fn a_save_after_the_ttl_is_a_first_one(trial: &Trial<'_>) -> Verdict {
    let mortal = Mortal::create(trial).await?;
    mortal.waits_until_gone().await?;
    let lease = trial.backend.acquire(&mortal.record.key).await?;
    let late = sample::record(lease.key(), Some(&mortal.record), "late");
    let write = Write::new(late, Some(mortal.record.revision));
    trial.backend.refuses(&lease, &write, None, "a save made from an expired record").await?;
    let anew = trial.backend.create_under(&lease, "anew").await?;
    trial.backend.holds(&anew, "after a first save where a record had expired").await?;
    trial.backend.release(&lease).await
}

pub(super) async fn a_record_lasts_while_its_lease_is_held(trial: &Trial<'_>) -> Verdict {
    let mortal = Mortal::create(trial).await?;
    let lease = mortal.open().await?;
    mortal.hold_beyond_the_ttl(&lease).await?;
    let next = sample::record(lease.key(), Some(&mortal.record), "at long last");
    let write = Write::new(next.clone(), Some(mortal.record.revision));
    if let Err(error) = trial.backend.save_and_release(&lease, &write).await {
        fail!("a save by whoever held the key when its record expired failed: {error}");
    }
    trial.backend.holds(&next, "after a save by whoever held the key meanwhile").await
}

pub(super) async fn a_record_that_a_lease_kept_goes_with_it(trial: &Trial<'_>) -> Verdict {
    let mortal = Mortal::create(trial).await?;
    let lease = mortal.open().await?;
    mortal.hold_beyond_the_ttl(&lease).await?;
    trial.backend.release(&lease).await?;
    mortal.waits_until_gone().await
}

pub(super) async fn a_save_without_ttl_makes_the_record_stay(trial: &Trial<'_>) -> Verdict {
    let mortal = Mortal::create(trial).await?;
    let lease = mortal.open().await?;
    let lasting = sample::record(lease.key(), Some(&mortal.record), "for ever");
    trial.backend.save(&lease, &lasting, Some(&mortal.record)).await?;
    trial.backend.release(&lease).await?;
    // Wherever it was written down that it expires, it does not any more.
    sleep(TTL * 2 + trial.capabilities().lease_ttl.unwrap_or_default()).await;
    trial.backend.holds(&lasting, "long after a save without ttl").await?;
    let listed = trial.backend.list(lasting.key.user_id()).await?;
    ensure!(listed == [lasting.key], "list_states does not show a record without ttl");
    Ok(())
}

pub(super) async fn each_save_begins_the_ttl_anew(trial: &Trial<'_>) -> Verdict {
    let mut mortal = Mortal::create(trial).await?;
    let begun = mortal.since;
    while begun.elapsed() < TTL.mul_f32(1.5) {
        mortal = mortal.save_again().await?;
        sleep(TTL / 4).await;
        mortal.is_there("before the ttl of its last save was over").await?;
    }
    mortal.waits_until_gone().await
}

/// A record with a ttl.
struct Mortal<'t> {
    trial: &'t Trial<'t>,
    record: Record,
    /// A moment before the save.
    since: Instant,
}

impl<'t> Mortal<'t> {
    async fn create(trial: &'t Trial<'t>) -> Verdict<Self> {
        Self::create_under(trial, trial.key()?).await
    }

    async fn create_under(trial: &'t Trial<'t>, key: StateKey) -> Verdict<Self> {
        if !trial.capabilities().expiry {
            return Err(Stop::NotApplicable("its records do not expire"));
        }
        let lease = trial.backend.acquire(&key).await?;
        Self::save(trial, &lease, None).await
    }

    async fn save(trial: &'t Trial<'t>, lease: &Lease, replaces: Option<&Record>) -> Verdict<Self> {
        let record = sample::record(lease.key(), replaces, "for a while");
        let expected = replaces.map(|record| record.revision);
        let write = Write::new(record.clone(), expected).with_ttl(Some(TTL));
        let since = Instant::now();
        match trial.backend.save_and_release(lease, &write).await {
            Ok(()) => Ok(Self { trial, record, since }),
            Err(error) => Err(Stop::unexpected("save_and_release with a ttl", &error)),
        }
    }

    /// The same key, saved over.
    async fn save_again(&self) -> Verdict<Self> {
        let lease = self.open().await?;
        Self::save(self.trial, &lease, Some(&self.record)).await
    }

    /// Takes the key while the record is there.
    async fn open(&self) -> Verdict<Lease> {
        let (lease, record) = open(&self.trial.backend, &self.record.key).await?;
        self.in_time()?;
        sample::same(record.as_ref(), Some(&self.record), "acquire_and_load before its ttl")?;
        Ok(lease)
    }

    /// Fails if the record is gone although its ttl is not over.
    async fn is_there(&self, when: &str) -> Verdict {
        let found = self.trial.backend.load(&self.record.key).await?;
        self.in_time()?;
        sample::same(found.as_ref(), Some(&self.record), when)
    }

    fn in_time(&self) -> Verdict {
        if self.since.elapsed() < TTL { Ok(()) } else { Err(Stop::TooSlow) }
    }

    /// Keeps a lease on the record until long after it was to expire.
    async fn hold_beyond_the_ttl(&self, lease: &Lease) -> Verdict {
        let ttl = self.trial.capabilities().lease_ttl;
        let mut renewed = Instant::now();
        while self.since.elapsed() < TTL * 2 {
            sleep(ttl.map_or(TTL, |ttl| ttl / 4).min(TTL / 4)).await;
            // What a lease that has run out does not keep is no concern here.
            if ttl.is_some_and(|ttl| renewed.elapsed() >= ttl) {
                return Err(Stop::TooSlow);
            }
            let now = Instant::now();
            self.trial.backend.renew(lease).await?;
            renewed = now;
        }
        Ok(())
    }

    async fn waits_until_gone(&self) -> Verdict {
        let due = Instant::now() + TTL + GRACE;
        while self.trial.backend.load(&self.record.key).await?.is_some() {
            ensure!(Instant::now() < due, "long after its ttl the record is still there");
            sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }
}
