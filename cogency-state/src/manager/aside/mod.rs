//! What was set aside: listed, looked at, restored, deleted.

mod exchange;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::hold::Hold;
use super::outage::Conduct;
use super::{Loaded, StateManager};
use crate::aside::{Aside, AsideReason};
use crate::error::Error;
use crate::record::{Revision, version_of};

pub(crate) use exchange::Exchange;

impl StateManager {
    /// All that was set aside here, of all users, the oldest first: what could not be read
    /// ([`OnUnreadable::Quarantine`](crate::OnUnreadable::Quarantine)), what another LLM wrote
    /// ([`OnLlmChange::Reset`](crate::OnLlmChange::Reset)), and what was
    /// [replaced](Self::restore_aside_over).
    ///
    /// It stays until it is restored or deleted, whatever its `ttl` was.
    ///
    /// ```
    /// use cogency_state::{MemoryBackend, StateManager};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cogency_state::Error> {
    /// # let manager = StateManager::new(MemoryBackend::new());
    /// for aside in manager.quarantined().await? {
    ///     println!("{}: {} since {}", aside.key, aside.reason, aside.at);
    ///     manager.restore_aside(&aside).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] if the backend [cannot set aside](crate::Capabilities::aside),
    /// [`Error::Backend`] if it fails.
    pub async fn quarantined(&self) -> Result<Vec<Aside>, Error> {
        if !self.is_on() {
            return Ok(Vec::new());
        }
        self.backend().list_aside(None).await
    }

    /// The same, of one user.
    ///
    /// # Errors
    /// As [`quarantined`](Self::quarantined), and [`Error::InvalidKey`] if the id is none.
    pub async fn quarantined_of(&self, user_id: &str) -> Result<Vec<Aside>, Error> {
        if !self.is_on() {
            return Ok(Vec::new());
        }
        self.backend().list_aside(Some(user_id)).await
    }

    /// A state that was set aside; `None` if it is not there any more.
    ///
    /// # Errors
    /// As [`load_state`](Self::load_state).
    pub async fn load_aside<T>(&self, aside: &Aside) -> Result<Option<Loaded<T>>, Error>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        if !self.is_on() {
            return Ok(None);
        }
        let record = self.backend().load_aside(&aside.key, aside.id).await?;
        let Some(record) = record else { return Ok(None) };
        self.read(record).await.map(Some)
    }

    /// Puts back what was set aside, as it was, where nothing is under its key. `false` if it is
    /// not there any more. Waits until no call holds the key.
    ///
    /// # Errors
    /// [`Error::Conflict`] if there is something under the key (see
    /// [`restore_aside_over`](Self::restore_aside_over)), [`Error::Corrupt`] or
    /// [`Error::SchemaVersion`] if that cannot be read, [`Error::LeaseTimeout`] if the key was not
    /// free in time, [`Error::Reentrant`] inside a `#[robust]` function that holds it,
    /// [`Error::Backend`] if the backend fails: in all of these nothing changed.
    /// [`Error::OutcomeUnknown`] if it may have.
    pub async fn restore_aside(&self, aside: &Aside) -> Result<bool, Error> {
        if !self.is_on() {
            return Ok(false);
        }
        let hold = Hold::acquire(self, self.place(&aside.key), self.inner.wait).await?;
        let restored = restore(self, &hold, aside).await;
        hold.release().await;
        restored
    }

    /// Puts back what was set aside in the place of the record of this revision, which is set
    /// aside in turn. `false`, and nothing changes, if it is not there any more.
    ///
    /// # Errors
    /// As [`restore_aside`](Self::restore_aside), with [`Error::Conflict`] if another revision is
    /// there.
    pub async fn restore_aside_over(
        &self,
        aside: &Aside,
        expected: Revision,
    ) -> Result<bool, Error> {
        if !self.is_on() {
            return Ok(false);
        }
        let key = &aside.key;
        let (hold, found) =
            Hold::open(self, self.place(key), self.inner.wait, Conduct::failing()).await?;
        let revision = found.as_ref().map(|found| found.revision);
        let Some(found) = found.filter(|found| found.revision == expected) else {
            hold.release().await;
            let (expected, found) = (expected.version, version_of(revision));
            return Err(Error::conflict(key, self.location(), expected, found));
        };
        let leaves = Aside::new(key.clone(), AsideReason::Replaced);
        let leaves = leaves.with_metadata(expected.version, &found.metadata);
        exchange::replace(self.clone(), hold, leaves, aside.clone()).await
    }

    /// Deletes what was set aside. `false` if it is not there any more.
    ///
    /// # Errors
    /// [`Error::Config`] if the backend cannot set aside, [`Error::Backend`] if it fails,
    /// [`Error::OutcomeUnknown`] if it may be deleted.
    pub async fn drop_aside(&self, aside: &Aside) -> Result<bool, Error> {
        if !self.is_on() {
            return Ok(false);
        }
        let dropped = self.backend().drop_aside(&aside.key, aside.id).await;
        if let Ok(true) = dropped {
            self.sweep_blobs_if_free(&aside.key).await;
        }
        dropped
    }
}

async fn restore(manager: &StateManager, hold: &Hold, aside: &Aside) -> Result<bool, Error> {
    let Some(lease) = hold.lease() else { return Ok(false) };
    let restored = manager.backend().restore_aside(lease, aside.id).await;
    if let (Some(outage), Ok(true) | Err(Error::OutcomeUnknown { .. })) =
        (&manager.inner.outage, &restored)
    {
        outage.forget(&aside.key);
    }
    restored
}
