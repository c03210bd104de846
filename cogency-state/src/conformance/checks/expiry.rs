//! Leases that run out unless they are renewed.

use std::time::Instant;

use tokio::time::sleep;

use crate::conformance::check::{Stop, Verdict, ensure};
use crate::conformance::instance::GRACE;
use crate::conformance::sample;
use crate::conformance::trial::Trial;

pub(super) async fn a_lease_runs_out_without_renewal(trial: &Trial<'_>) -> Verdict {
    let ttl = trial.lease_ttl()?;
    let key = trial.key()?;
    let lease = trial.backend.acquire(&key).await?;
    let next = trial.backend.acquire_within(&key, ttl + GRACE).await?;
    ensure!(
        next.token() > lease.token(),
        "the fencing token {} came after {}, of a lease that ran out",
        next.token(),
        lease.token()
    );
    trial.backend.release(&next).await
}

pub(super) async fn a_lease_lasts_for_its_ttl(trial: &Trial<'_>) -> Verdict {
    let ttl = trial.lease_ttl()?;
    let key = trial.key()?;
    let since = Instant::now();
    let lease = trial.backend.acquire(&key).await?;
    for _ in 0..8 {
        sleep(ttl / 10).await;
        trial.backend.finds_held(&key, since, "before its ttl was over").await?;
    }
    trial.backend.release(&lease).await
}

pub(super) async fn a_renewed_lease_lasts(trial: &Trial<'_>) -> Verdict {
    let ttl = trial.lease_ttl()?;
    let key = trial.key()?;
    let begun = Instant::now();
    let lease = trial.backend.acquire(&key).await?;
    let mut renewed = begun;
    while begun.elapsed() < ttl.mul_f32(2.5) {
        sleep(ttl / 4).await;
        // Once it has run out somebody might have it: that is not what is looked at here.
        if renewed.elapsed() >= ttl {
            return Err(Stop::TooSlow);
        }
        let now = Instant::now();
        trial.backend.renew(&lease).await?;
        renewed = now;
        trial.backend.finds_held(&key, renewed, "after it was renewed").await?;
    }
    trial.backend.release(&lease).await
}

pub(super) async fn a_lease_that_ran_out_counts_until_it_is_taken(trial: &Trial<'_>) -> Verdict {
    let ttl = trial.lease_ttl()?;
    let lease = trial.backend.acquire(&trial.key()?).await?;
    sleep(ttl.mul_f32(1.5)).await;
    let first = trial.backend.create_under(&lease, "late, but nobody came").await?;
    trial.backend.holds(&first, "after a save with a lease that ran out").await?;
    sleep(ttl.mul_f32(1.5)).await;
    ensure!(trial.backend.delete(&lease).await?, "delete_state with a lease that ran out: false");

    let since = Instant::now();
    trial.backend.renew(&lease).await?;
    trial.backend.finds_held(lease.key(), since, "after it ran out and was renewed").await?;
    trial.backend.release(&lease).await
}

pub(super) async fn a_lease_taken_over_does_no_harm(trial: &Trial<'_>) -> Verdict {
    let ttl = trial.lease_ttl()?;
    let key = trial.key()?;
    let lost = trial.backend.acquire(&key).await?;
    let record = trial.backend.create_under(&lost, "by the first holder").await?;
    let lease = trial.backend.acquire_within(&key, ttl + GRACE).await?;
    let since = Instant::now();
    trial.backend.refuses_lost(&lost, &record, "with a lease that was taken over").await?;
    trial.backend.release(&lost).await?;
    trial.backend.finds_held(&key, since, "after its former holder released it").await?;

    let next = sample::record(&key, Some(&record), "by the second holder");
    trial.backend.save(&lease, &next, Some(&record)).await?;
    trial.backend.holds(&next, "after a save by the second holder").await?;
    trial.backend.release(&lease).await
}
