//! Leases: one holder at a time.

use std::time::{Duration, Instant};

use crate::backend::Capabilities;
use crate::conformance::check::{Stop, Verdict, ensure};
use crate::conformance::sample;
use crate::conformance::trial::Trial;

/// How long a lease is held that does not run out.
const LONG_HOLD: Duration = Duration::from_secs(3);

pub(super) async fn a_held_lease_is_not_given_twice(trial: &Trial<'_>) -> Verdict {
    let key = trial.key()?;
    let since = Instant::now();
    let lease = trial.backend.acquire(&key).await?;
    trial.backend.finds_held(&key, since, "right after it was taken").await?;
    trial.backend.finds_held(&key, since, "after a vain attempt").await?;
    trial.backend.create_under(&lease, "first").await?;
    trial.backend.finds_held(&key, since, "after a save").await?;
    trial.backend.delete(&lease).await?;
    trial.backend.finds_held(&key, since, "after a delete").await?;
    ensure!(lease.key() == &key, "the lease on {key} says that it is on {}", lease.key());
    trial.backend.release(&lease).await
}

pub(super) async fn a_released_lease_is_free(trial: &Trial<'_>) -> Verdict {
    let key = trial.key()?;
    let first = trial.backend.acquire(&key).await?;
    trial.backend.release(&first).await?;
    let second = trial.backend.acquire(&key).await?;
    trial.backend.release(&second.clone()).await?;
    let third = trial.backend.acquire(&key).await?;
    trial.backend.release(&third).await
}

pub(super) async fn a_lease_is_free_after_its_last_copy(trial: &Trial<'_>) -> Verdict {
    let key = trial.key()?;
    let since = Instant::now();
    let lease = trial.backend.acquire(&key).await?;
    drop(lease.clone());
    trial.backend.finds_held(&key, since, "after one of two copies was dropped").await?;
    drop(lease);
    let lease = trial.backend.acquire_abandoned(&key).await?;
    trial.backend.release(&lease).await
}

pub(super) async fn a_lease_may_be_released_twice(trial: &Trial<'_>) -> Verdict {
    let lease = trial.backend.acquire(&trial.key()?).await?;
    trial.backend.release(&lease).await?;
    trial.backend.release(&lease).await
}

pub(super) async fn tokens_grow_from_lease_to_lease(trial: &Trial<'_>) -> Verdict {
    let key = trial.key()?;
    let mut last = None;
    for round in 0..6 {
        let lease = trial.backend.acquire(&key).await?;
        let token = lease.token();
        ensure!(
            last.is_none_or(|last| last < token),
            "the fencing token {token} came after {} (lease {round} on the key)",
            last.unwrap_or_default()
        );
        last = Some(token);
        // A token has to outlive the record too.
        match round % 3 {
            0 => drop(trial.backend.create_under(&lease, "for a while").await?),
            1 => ensure!(trial.backend.delete(&lease).await?, "the record is gone too early"),
            _ => {}
        }
        trial.backend.release(&lease).await?;
    }
    Ok(())
}

pub(super) async fn a_released_lease_changes_nothing(trial: &Trial<'_>) -> Verdict {
    let lease = trial.backend.acquire(&trial.key()?).await?;
    let record = trial.backend.create_under(&lease, "first").await?;
    trial.backend.release(&lease).await?;
    trial.backend.refuses_lost(&lease, &record, "with a released lease").await
}

pub(super) async fn a_lease_of_the_past_does_no_harm(trial: &Trial<'_>) -> Verdict {
    let key = trial.key()?;
    let past = trial.backend.acquire(&key).await?;
    let record = trial.backend.create_under(&past, "first").await?;
    trial.backend.release(&past).await?;
    let since = Instant::now();
    let lease = trial.backend.acquire(&key).await?;
    trial.backend.refuses_lost(&past, &record, "with the lease before this one").await?;
    trial.backend.release(&past).await?;
    trial.backend.finds_held(&key, since, "after the lease before was released again").await?;
    drop(past);
    trial.backend.finds_held(&key, since, "after the lease before was dropped").await?;

    let next = sample::record(&key, Some(&record), "second");
    trial.backend.save(&lease, &next, Some(&record)).await?;
    trial.backend.holds(&next, "after a save by the new holder").await?;
    trial.backend.release(&lease).await
}

pub(super) async fn leases_on_different_keys_are_independent(trial: &Trial<'_>) -> Verdict {
    let user = Trial::fresh_id();
    let mut leases = Vec::new();
    for (user_id, session_id) in [(&*user, "a"), (&*user, "b"), (&*user, "A")] {
        leases.push(trial.backend.acquire(&trial.key_of(user_id, session_id)?).await?);
    }
    leases.push(trial.backend.acquire(&trial.key_of(&format!("{user}:a"), "a")?).await?);
    let since = Instant::now();
    let last = trial.backend.acquire(&trial.key_of(&user, "last")?).await?;
    for lease in &leases {
        trial.backend.create_under(lease, "its own").await?;
        trial.backend.release(lease).await?;
    }
    trial.backend.finds_held(last.key(), since, "after leases on other keys were released").await?;
    trial.backend.create_under(&last, "its own").await?;
    trial.backend.release(&last).await
}

pub(super) async fn reading_needs_no_lease(trial: &Trial<'_>) -> Verdict {
    let user = Trial::fresh_id();
    let key = trial.key_of(&user, "default")?;
    let lease = trial.backend.acquire(&key).await?;
    trial.backend.holds_none(&key, "while somebody holds the key").await?;
    let record = trial.backend.create_under(&lease, "first").await?;
    trial.backend.holds(&record, "while somebody holds the key").await?;
    let listed = trial.backend.list(&user).await?;
    ensure!(listed == [key], "list_states does not show a key that somebody holds");
    trial.backend.release(&lease).await
}

pub(super) async fn a_lease_without_ttl_does_not_run_out(trial: &Trial<'_>) -> Verdict {
    let Capabilities { lease_ttl: None, .. } = trial.capabilities() else {
        return Err(Stop::NotApplicable("its leases run out"));
    };
    let key = trial.key()?;
    let lease = trial.backend.acquire(&key).await?;
    let since = Instant::now();
    while since.elapsed() < LONG_HOLD {
        trial.backend.finds_held(&key, since, "while it is held without renewal").await?;
        tokio::time::sleep(LONG_HOLD / 10).await;
    }
    let record = trial.backend.create_under(&lease, "after a long hold").await?;
    trial.backend.renew(&lease).await?;
    trial.backend.holds(&record, "after a long hold").await?;
    trial.backend.release(&lease).await
}
