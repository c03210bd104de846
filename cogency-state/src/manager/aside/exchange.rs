//! What leaves a key for another state, and what comes back to it.
//!
//! Each step is one of the backend's, in an order that loses nothing wherever it stops: first the
//! old state goes aside, then the new one is saved, then what came back is deleted, which is in the
//! new one. Who stops behind the first step leaves a key without a state, and the old state aside.

use tokio::time::Instant;

use super::super::hold::{Hold, TRY_AGAIN_WITHIN};
use super::super::outage::Outcome;
use super::super::to_the_end::ToTheEnd;
use super::super::{StateManager, observed, typed};
use crate::aside::Aside;
use crate::backend::LeaseAttempt;
use crate::error::{Error, PANICKED};
use crate::holder::Holder;

/// How often a step whose answer was lost is repeated: it is done once however often it arrives.
const TRIES: usize = 3;

/// What a save does beside saving. In boxes: nearly all do nothing.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// What is under the key, about to be set aside.
    pub(crate) leaves: Option<Box<Aside>>,
    /// What the call started from, about to be no copy of its own any more.
    pub(crate) comes_back: Option<Box<Aside>>,
}

impl Exchange {
    pub(crate) fn is_nothing(&self) -> bool {
        self.leaves.is_none() && self.comes_back.is_none()
    }

    /// Saves with all that belongs to it. Runs to its end although the caller may stop waiting.
    pub(crate) async fn save(
        self,
        manager: StateManager,
        hold: Box<Hold>,
        prepared: typed::Prepared,
    ) -> Result<Outcome, Error> {
        let (runtime, location) = (hold.runtime().clone(), manager.location().to_owned());
        let record = &prepared.write.record;
        let (key, write_id) = (record.key.clone(), record.revision.write_id);
        let steps = self.save_here(manager, hold, prepared);
        ToTheEnd::new(runtime, steps).await.unwrap_or_else(|_panic| {
            Err(Error::outcome_unknown(&key, &location, Some(write_id), PANICKED))
        })
    }

    async fn save_here(
        self,
        manager: StateManager,
        hold: Box<Hold>,
        prepared: typed::Prepared,
    ) -> Result<Outcome, Error> {
        if let Some(aside) = &self.leaves
            && let Err(error) = set_aside(&manager, &hold, aside).await
        {
            manager.inner.listeners.tell(&aside.key, Err(&error));
            hold.release().await;
            return Err(error);
        }
        let saved = manager.save(hold, prepared).await;
        match (&saved, self.leaves, self.comes_back) {
            // One that is spooled is not there yet: until then the copy is all that the backend has.
            (Ok(Outcome::Saved(_)), _, Some(came_back)) => forget(&manager, &came_back).await,
            // It is not known what is there.
            (Ok(_) | Err(Error::OutcomeUnknown { .. }), _, _) | (Err(_), None, _) => {}
            (Err(_), Some(left), _) => undo(&manager, &left).await,
        }
        saved
    }
}

/// Puts one record that was set aside in the place of what is there.
pub(super) async fn replace(
    manager: StateManager,
    hold: Box<Hold>,
    leaves: Aside,
    comes: Aside,
) -> Result<bool, Error> {
    let (runtime, location) = (hold.runtime().clone(), manager.location().to_owned());
    let key = leaves.key.clone();
    let steps = async move {
        let replaced = replace_under(&manager, &hold, &leaves, &comes).await;
        hold.release().await;
        replaced
    };
    ToTheEnd::new(runtime, steps)
        .await
        .unwrap_or_else(|_panic| Err(Error::outcome_unknown(&key, &location, None, PANICKED)))
}

async fn replace_under(
    manager: &StateManager,
    hold: &Hold,
    leaves: &Aside,
    comes: &Aside,
) -> Result<bool, Error> {
    let asides = manager.backend().list_aside(Some(comes.key.user_id())).await?;
    if !asides.iter().any(|aside| aside.id == comes.id) {
        return Ok(false);
    }
    set_aside(manager, hold, leaves).await?;
    let restored = super::restore(manager, hold, comes).await;
    if matches!(restored, Err(Error::OutcomeUnknown { .. }) | Ok(true)) {
        return restored;
    }
    super::restore(manager, hold, leaves).await?;
    restored
}

async fn set_aside(manager: &StateManager, hold: &Hold, aside: &Aside) -> Result<bool, Error> {
    let Some(lease) = hold.lease() else {
        let reason = "nothing can be set aside while it is out of reach";
        return Err(Error::out_of_reach(Some(&aside.key), manager.location(), "set aside", reason));
    };
    let outage = manager.inner.outage.as_ref();
    if let Some(refusal) = outage.and_then(|outage| outage.refusal(manager, &aside.key)) {
        return Err(refusal);
    }
    let began = Instant::now();
    let mut done = manager.backend().set_aside(lease, aside).await;
    if let (Some(outage), Err(error)) = (outage, &done)
        && error.is_outage()
    {
        outage.went_away(manager, &aside.key, error);
    }
    for _ in 1..TRIES {
        let is_silent = began.elapsed() > TRY_AGAIN_WITHIN;
        if is_silent || !matches!(done, Err(Error::OutcomeUnknown { .. })) {
            break;
        }
        // Only success settles it, as with a save.
        if let Ok(was_there) = manager.backend().set_aside(lease, aside).await {
            done = Ok(was_there);
        }
    }
    if let Ok(true) = done {
        observed::set_aside(manager.location(), aside);
    }
    done
}

/// Deletes a copy whose state is under its key again. One that stays does no harm.
async fn forget(manager: &StateManager, aside: &Aside) {
    if let Err(error) = manager.backend().drop_aside(&aside.key, aside.id).await {
        tracing::warn!(key = %aside.key, %error, "a state came back, and its copy is still listed");
    }
}

/// The save failed: what made room for it comes back, unless somebody was quicker.
async fn undo(manager: &StateManager, left: &Aside) {
    let backend = manager.backend();
    let restored = match backend.acquire_lease(&left.key, &Holder::current()).await {
        Ok(LeaseAttempt::Acquired(lease)) => {
            let restored = backend.restore_aside(&lease, left.id).await;
            let released = backend.release_lease(&lease).await;
            restored.and_then(|restored| released.map(|()| restored))
        }
        Ok(LeaseAttempt::Held(_)) => Ok(false),
        Err(error) => Err(error),
    };
    match restored {
        Ok(true) => {}
        Ok(false) => tracing::warn!(key = %left.key, "not saved, and its old state is set aside"),
        Err(error) => {
            tracing::warn!(key = %left.key, %error, "not saved, and its old state is set aside");
        }
    }
}
