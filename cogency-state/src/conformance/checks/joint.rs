//! The methods that do two steps in one.

use std::time::Instant;

use crate::backend::{Lease, Opened, Write};
use crate::conformance::check::{Stop, Verdict, ensure, fail};
use crate::conformance::instance::Instance;
use crate::conformance::sample;
use crate::conformance::trial::Trial;
use crate::error::Error;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::record::Record;

pub(super) async fn acquire_and_load_gives_the_lease_and_the_record(trial: &Trial<'_>) -> Verdict {
    let key = trial.key()?;
    let since = Instant::now();
    let (first, found) = open(&trial.backend, &key).await?;
    sample::same(found.as_ref(), None, "acquire_and_load before the first save")?;
    trial.backend.finds_held(&key, since, "after acquire_and_load").await?;
    let record = trial.backend.create_under(&first, "first").await?;
    trial.backend.release(&first).await?;

    let (second, found) = open(&trial.backend, &key).await?;
    sample::same(found.as_ref(), Some(&record), "acquire_and_load after a save")?;
    ensure!(second.token() > first.token(), "acquire_and_load gives a token that is not newer");
    let next = sample::record(&key, Some(&record), "second");
    trial.backend.save(&second, &next, Some(&record)).await?;
    trial.backend.release(&second).await?;

    let (third, found) = open(&trial.backend, &key).await?;
    sample::same(found.as_ref(), Some(&next), "acquire_and_load after a second save")?;
    trial.backend.delete(&third).await?;
    trial.backend.release(&third).await
}

/// Takes a key that is free, with what is under it.
pub(super) async fn open(backend: &Instance, key: &StateKey) -> Verdict<(Lease, Option<Record>)> {
    match backend.acquire_and_load(key, &Holder::current()).await {
        Ok(Opened::Acquired { lease, record }) => Ok((lease, record)),
        Ok(Opened::Held(_)) => fail!("acquire_and_load says Held, but nobody holds {key}"),
        Err(error) => Err(Stop::unexpected("acquire_and_load", &error)),
    }
}

pub(super) async fn acquire_and_load_respects_a_holder(trial: &Trial<'_>) -> Verdict {
    let key = trial.key()?;
    let since = Instant::now();
    let lease = trial.backend.acquire(&key).await?;
    match trial.backend.acquire_and_load(&key, &Holder::current()).await {
        Ok(Opened::Held(_)) => {}
        Ok(Opened::Acquired { .. }) => {
            let ttl = trial.capabilities().lease_ttl;
            if ttl.is_some_and(|ttl| since.elapsed() >= ttl) {
                return Err(Stop::TooSlow);
            }
            fail!("acquire_and_load gives the lease on {key} to a second holder");
        }
        Err(error) => return Err(Stop::unexpected("acquire_and_load", &error)),
    }
    trial.backend.create_under(&lease, "by the holder").await?;
    trial.backend.release(&lease).await
}

pub(super) async fn acquire_and_load_gives_the_lease_back_if_it_fails(
    trial: &Trial<'_>,
) -> Verdict {
    let key = trial.key()?;
    trial.backend.create(&key, "soon unreadable").await?;
    trial.damage(&key).await?;
    if trial.backend.acquire_and_load(&key, &Holder::current()).await.is_ok() {
        fail!("acquire_and_load of an unreadable record succeeds");
    }
    let lease = trial.backend.acquire(&key).await?;
    trial.backend.delete(&lease).await?;
    trial.backend.release(&lease).await
}

pub(super) async fn save_and_release_saves_and_releases(trial: &Trial<'_>) -> Verdict {
    let lease = trial.backend.acquire(&trial.key()?).await?;
    let first = sample::record(lease.key(), None, "first");
    save_and_release(&trial.backend, &lease, &Write::new(first.clone(), None)).await?;
    trial.backend.holds(&first, "after save_and_release").await?;

    let next = trial.backend.acquire(lease.key()).await?;
    let second = sample::record(lease.key(), Some(&first), "second");
    let write = Write::new(second.clone(), Some(first.revision));
    save_and_release(&trial.backend, &next, &write).await?;
    trial.backend.holds(&second, "after a second save_and_release").await?;
    trial.backend.refuses_lost(&next, &second, "after save_and_release").await
}

async fn save_and_release(backend: &Instance, lease: &Lease, write: &Write) -> Verdict {
    let result = backend.save_and_release(lease, write).await;
    result.map_err(|error| Stop::unexpected("save_and_release", &error))
}

pub(super) async fn save_and_release_keeps_the_lease_on_a_conflict(trial: &Trial<'_>) -> Verdict {
    let since = Instant::now();
    let lease = trial.backend.acquire(&trial.key()?).await?;
    let first = trial.backend.create_under(&lease, "first").await?;
    let stale = Write::new(sample::record(lease.key(), None, "also the first"), None);
    match trial.backend.save_and_release(&lease, &stale).await {
        Err(Error::Conflict { expected: 0, found: 1, .. }) => {}
        Err(error) => fail!("a stale save_and_release failed with {error:?}, due is Conflict"),
        Ok(()) => fail!("a stale save_and_release succeeded, due is Conflict"),
    }
    trial.backend.holds(&first, "after a stale save_and_release").await?;
    trial.backend.finds_held(lease.key(), since, "after a stale save_and_release").await?;
    let second = sample::record(lease.key(), Some(&first), "second");
    trial.backend.save(&lease, &second, Some(&first)).await?;
    trial.backend.release(&lease).await
}
