//! Any future may be dropped at any await.
//!
//! Each operation is begun again and again and dropped at its first await, at its second, and so
//! on, until it ends before it is dropped.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::backend::{Lease, Write};
use crate::conformance::check::{Stop, Verdict, ensure, fail};
use crate::conformance::instance::{GRACE, LOOK_AGAIN};
use crate::conformance::sample;
use crate::conformance::trial::Trial;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::record::Record;

/// An operation that was not dropped by then never ends.
const MOST_POLLS: usize = 1000;

/// How long after an operation was over nothing may change any more.
const QUIET: Duration = Duration::from_millis(100);

/// A future that drops the one inside it after a number of polls.
struct DropAfter<F> {
    inner: Option<Pin<Box<F>>>,
    polls: usize,
}

impl<F: Future> Future for DropAfter<F> {
    /// `None` if the inner future was dropped.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(inner) = self.inner.as_mut() else { return Poll::Ready(None) };
        if let Poll::Ready(output) = inner.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        self.polls = self.polls.saturating_sub(1);
        if self.polls > 0 {
            return Poll::Pending;
        }
        self.inner = None;
        Poll::Ready(None)
    }
}

/// Polls a future so many times, and drops it where it stands.
async fn drop_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let inner = (polls > 0).then(|| Box::pin(future));
    DropAfter { inner, polls }.await
}

pub(super) async fn a_dropped_acquire_leaves_the_lease_free(trial: &Trial<'_>) -> Verdict {
    let (plain, joint) = (trial.key()?, trial.key()?);
    let holder = Holder::current();
    for polls in 0..MOST_POLLS {
        let one = drop_after(polls, trial.backend.acquire_lease(&plain, &holder)).await;
        let one = one.map(drop).is_some();
        let two = drop_after(polls, trial.backend.acquire_and_load(&joint, &holder)).await;
        let two = two.map(drop).is_some();
        for key in [&plain, &joint] {
            let lease = trial.backend.acquire_abandoned(key).await?;
            trial.backend.release(&lease).await?;
        }
        if one && two {
            return Ok(());
        }
    }
    fail!("acquire_lease does not end")
}

pub(super) async fn a_dropped_load_changes_nothing(trial: &Trial<'_>) -> Verdict {
    let user = Trial::fresh_id();
    let lease = trial.backend.acquire(&trial.key_of(&user, "default")?).await?;
    let record = trial.backend.create_under(&lease, "first").await?;
    for polls in 0..MOST_POLLS {
        let load = drop_after(polls, trial.backend.load_state(lease.key())).await;
        let list = drop_after(polls, trial.backend.list_states(&user)).await;
        trial.backend.renew(&lease).await?;
        trial.backend.holds(&record, "after a dropped load").await?;
        if load.is_some() && list.is_some() {
            return trial.backend.release(&lease).await;
        }
    }
    fail!("load_state does not end")
}

pub(super) async fn a_dropped_save_leaves_the_old_record_or_the_new(trial: &Trial<'_>) -> Verdict {
    for release in [false, true] {
        let key = trial.key()?;
        let mut old = trial.backend.create(&key, "0").await?;
        for polls in 0..=MOST_POLLS {
            let lease = trial.backend.acquire_abandoned(&key).await?;
            let new = sample::record(&key, Some(&old), &polls.to_string());
            let ended = begin_save(trial, &lease, &old, &new, release, polls).await?;
            drop(lease);
            old = settled(trial, &key, &old, &new).await?;
            if ended {
                sample::same(Some(&old), Some(&new), "after a save that was not dropped")?;
                break;
            }
            ensure!(polls < MOST_POLLS, "save_state does not end");
        }
    }
    Ok(())
}

/// Begins a save and drops it after some polls; whether it ended before that.
async fn begin_save(
    trial: &Trial<'_>,
    lease: &Lease,
    old: &Record,
    new: &Record,
    release: bool,
    polls: usize,
) -> Verdict<bool> {
    let write = Write::new(new.clone(), Some(old.revision));
    let result = if release {
        drop_after(polls, trial.backend.save_and_release(lease, &write)).await
    } else {
        drop_after(polls, trial.backend.save_state(lease, &write)).await
    };
    match result {
        Some(Ok(())) => Ok(true),
        Some(Err(error)) => Err(Stop::unexpected("a save that was not dropped", &error)),
        None => Ok(false),
    }
}

/// What a dropped save left. It is over when the key has gone to the next holder: from then on
/// nothing changes.
async fn settled(trial: &Trial<'_>, key: &StateKey, old: &Record, new: &Record) -> Verdict<Record> {
    is_either(trial, old, new, "right after a dropped save").await?;
    let lease = trial.backend.acquire_abandoned(key).await?;
    let found = is_either(trial, old, new, "when the key went to the next holder").await?;
    let over = Instant::now();
    while over.elapsed() < QUIET {
        trial.backend.holds(&found, "some time after the key went to the next holder").await?;
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    trial.backend.release(&lease).await?;
    Ok(found)
}

async fn is_either(trial: &Trial<'_>, old: &Record, new: &Record, when: &str) -> Verdict<Record> {
    match trial.backend.load(&old.key).await? {
        Some(found) if &found == old || &found == new => Ok(found),
        Some(_) => fail!("{when} there is neither the old record nor the new"),
        None => fail!("{when} there is no record, neither the old nor the new"),
    }
}

/// Where saves survive their drop, the next save under the same lease finds the dropped one done,
/// or does it: nothing of it is left in the way.
pub(super) async fn a_dropped_save_comes_to_an_end(trial: &Trial<'_>) -> Verdict {
    if !trial.capabilities().saves_survive_drop {
        return Err(Stop::NotApplicable("its saves need not survive a drop"));
    }
    let lease = trial.backend.acquire(&trial.key()?).await?;
    let mut old = trial.backend.create_under(&lease, "0").await?;
    for polls in 1..MOST_POLLS {
        trial.backend.renew(&lease).await?;
        let new = sample::record(lease.key(), Some(&old), &polls.to_string());
        let ended = begin_save(trial, &lease, &old, &new, false, polls).await?;
        let write = Write::new(new.clone(), Some(old.revision));
        match tokio::time::timeout(GRACE, trial.backend.save_state(&lease, &write)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => fail!("a save that was dropped cannot be repeated: {error}"),
            Err(_) => fail!("a save that was dropped stands in the way of every other"),
        }
        let over = Instant::now();
        while over.elapsed() < QUIET {
            trial.backend.holds(&new, "after a dropped save was repeated").await?;
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        if ended {
            return trial.backend.release(&lease).await;
        }
        old = new;
    }
    fail!("save_state does not end")
}

pub(super) async fn a_dropped_delete_leaves_the_record_or_none(trial: &Trial<'_>) -> Verdict {
    let key = trial.key()?;
    for polls in 0..MOST_POLLS {
        let lease = trial.backend.acquire_abandoned(&key).await?;
        let record = trial.backend.create_under(&lease, "soon deleted").await?;
        let ended = drop_after(polls, trial.backend.delete_state(&lease)).await.is_some();
        drop(lease);
        let lease = trial.backend.acquire_abandoned(&key).await?;
        let found = trial.backend.load(&key).await?;
        if found.is_some() {
            sample::same(found.as_ref(), Some(&record), "after a dropped delete")?;
            ensure!(!ended, "a delete that was not dropped leaves the record");
        }
        trial.backend.delete(&lease).await?;
        trial.backend.release(&lease).await?;
        if ended {
            return Ok(());
        }
    }
    fail!("delete_state does not end")
}

pub(super) async fn a_dropped_release_can_be_repeated(trial: &Trial<'_>) -> Verdict {
    let key = trial.key()?;
    for polls in 0..MOST_POLLS {
        let lease = trial.backend.acquire_abandoned(&key).await?;
        let renewed = drop_after(polls, trial.backend.renew_lease(&lease)).await.is_some();
        let released = drop_after(polls, trial.backend.release_lease(&lease)).await.is_some();
        trial.backend.release(&lease).await?;
        let next = trial.backend.acquire(&key).await?;
        trial.backend.release(&next).await?;
        if renewed && released {
            return Ok(());
        }
    }
    fail!("release_lease does not end")
}
