//! Erasing, as a person may ask it of those who keep data about them.

use std::time::Duration;

use super::{Resolution, StateManager};
use crate::error::Error;
use crate::history::Retention;
use crate::key::StateKey;

impl StateManager {
    /// Erases all contents that are kept under a key: the state, the versions in its history, what
    /// was [set aside](Self::quarantined) of it, what of it is in the spool of this machine, and the
    /// [blobs](crate::Blob) of all of these.
    /// `false` if there was nothing. Waits until no call holds the key.
    ///
    /// A process that was killed within the first save of a key may have left blobs under it that
    /// nothing names, and no list shows such a key: they go when the key itself is erased, or with
    /// the next save there that names blobs.
    ///
    /// A history goes on with what says that there was a state and that it is gone, without its
    /// contents; that of a state which is gone without such an entry, as one that expired is, goes
    /// with it. Histories of others are reached where this backend keeps none. Archives, backups and other machines' spools are not reached from here, and what a
    /// database or a disk has freed it overwrites in its own time.
    ///
    /// ```
    /// # use cogency_state::{Error, StateKey, StateManager};
    /// # async fn example(manager: StateManager) -> Result<(), Error> {
    /// for key in manager.list_states("alice").await? {
    ///     manager.erase(&key).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`delete_state`](Self::delete_state), and [`Error::Corrupt`] where something is left that
    /// cannot be read, and so may name any blob. Some of it may be erased then: erase it again.
    ///
    /// # Cancellation
    /// As after an error.
    pub async fn erase(&self, key: &StateKey) -> Result<bool, Error> {
        if !self.is_on() {
            return Ok(false);
        }
        let was_there = self.delete_state(key).await?;
        let had_versions = self.erase_history(key).await?;
        let was_aside = self.erase_asides(key).await?;
        let was_spooled = self.erase_spooled(key).await?;
        self.sweep_blobs(key, self.inner.wait).await?;
        Ok(was_there || had_versions || was_aside || was_spooled)
    }

    async fn erase_history(&self, key: &StateKey) -> Result<bool, Error> {
        let Some(history) = self.backend().any_history() else { return Ok(false) };
        // That of a state which expired ends with the state itself.
        let forgotten = history.forget_history(key).await?;
        // The newest entry says that the state is gone: nothing before it is needed.
        let pruned = history.prune_history(key, Retention::Age(Duration::ZERO)).await?;
        Ok(forgotten + pruned > 0)
    }

    async fn erase_asides(&self, key: &StateKey) -> Result<bool, Error> {
        if !self.backend().capabilities().aside {
            return Ok(false);
        }
        let mut was_any = false;
        for aside in self.quarantined_of(key.user_id()).await? {
            was_any |= aside.key == *key && self.drop_aside(&aside).await?;
        }
        Ok(was_any)
    }

    async fn erase_spooled(&self, key: &StateKey) -> Result<bool, Error> {
        let mut entries = self.spool().await?;
        entries.retain(|entry| entry.key.as_ref() == Some(key));
        for entry in &entries {
            self.resolve(entry, Resolution::Drop).await?;
        }
        Ok(!entries.is_empty())
    }
}
