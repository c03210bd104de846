//! What happened to a state, and its earlier versions.

mod differences;

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::hold::Hold;
use super::outage::Conduct;
use super::{Loaded, StateManager, typed};
use crate::backend::{Action, HistoryBackend, Verified, Write};
use crate::error::Error;
use crate::history::{HistoryEntry, Moment, Retention};
use crate::key::StateKey;
use crate::record::{Metadata, Record, Revision};

pub use differences::Difference;

impl StateManager {
    /// What happened to a state, and its earlier versions, where the backend keeps a history: that
    /// is what [`Capabilities::history`](crate::Capabilities::history) says.
    ///
    /// ```no_run
    /// use cogency_state::{Moment, StateKey, StateManager};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cogency_state::Error> {
    /// let manager = StateManager::connect("sqlite:agents.db").await?;
    /// let history = manager.history(&StateKey::for_user("alice")?);
    /// for entry in history.list(None, 20).await? {
    ///     println!("{} {} version {} by {:?}", entry.at.elapsed().unwrap_or_default().as_secs(),
    ///         entry.event, entry.version, entry.actor);
    /// }
    /// for difference in history.diff(Moment::Version(6), Moment::Version(7)).await? {
    ///     println!("{difference}"); // turns[12].content: "tea" -> "coffee"
    /// }
    /// history.restore(Moment::Version(6)).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn history(&self, key: &StateKey) -> History {
        History { manager: self.clone(), key: key.clone() }
    }
}

/// The history of one state: [`StateManager::history`].
///
/// A version is named by its number, by the entry that it came with, or by a time: see [`Moment`].
/// All methods end in [`Error::NoHistory`] where none is kept, and in [`Error::Backend`] if the
/// backend fails. Where the manager is [switched off](StateManager::set_enabled) lists are empty,
/// nothing is loaded or pruned, and the others end in [`Error::Config`].
#[derive(Clone)]
pub struct History {
    manager: StateManager,
    key: StateKey,
}

impl History {
    /// What happened, the newest first: at most `limit` entries, of those before the entry with the
    /// sequence number `before`. The next page begins before the last entry of this one.
    ///
    /// # Errors
    /// As all methods of this type.
    pub async fn list(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        if !self.manager.is_on() {
            return Ok(Vec::new());
        }
        self.backend()?.list_history(&self.key, before, limit).await
    }

    /// The state of a moment; `None` if there was none.
    ///
    /// # Errors
    /// [`Error::NoSuchVersion`] if the history does not go there, [`Error::HistoryBroken`] if the
    /// version cannot be rebuilt, and as [`StateManager::load_state`] if it cannot be read as a `T`.
    pub async fn load<T>(&self, moment: impl Into<Moment>) -> Result<Option<Loaded<T>>, Error>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        if !self.manager.is_on() {
            return Ok(None);
        }
        let found = self.backend()?.load_history(&self.key, moment.into()).await?;
        let Some(record) = found else { return Ok(None) };
        self.manager.read(record).await.map(Some)
    }

    /// What is another in the second version than in the first, ordered by the names of fields.
    ///
    /// # Errors
    /// [`Error::NoSuchVersion`] if the history does not go there or there was no state,
    /// [`Error::HistoryBroken`] if a version cannot be rebuilt.
    pub async fn diff(
        &self,
        from: impl Into<Moment>,
        to: impl Into<Moment>,
    ) -> Result<Vec<Difference>, Error> {
        let (from, to) = (self.record(from.into()).await?, self.record(to.into()).await?);
        let unreadable =
            |_| Error::corrupt(&self.key, &self.manager.inner.location, "a version is no JSON");
        typed::off_thread(&self.key, "compare versions of", move || {
            differences::between(&from.state, &to.state)
        })
        .await?
        .map_err(unreadable)
    }

    /// Makes a version the newest again: it is saved once more, over what is there now. Waits until
    /// no call holds the key.
    ///
    /// # Errors
    /// [`Error::NoSuchVersion`] if the history does not go there or there was no state, and as
    /// [`StateManager::save_state`].
    ///
    /// # Cancellation
    /// Dropped before the save begins, nothing happens. A save that has begun runs to its end.
    pub async fn restore(&self, moment: impl Into<Moment>) -> Result<Revision, Error> {
        self.backend()?;
        let (manager, key) = (&self.manager, &self.key);
        let ttl = manager.ttl(None)?;
        let (hold, stored) =
            Hold::open(manager, manager.place(key), manager.inner.wait, Conduct::failing()).await?;
        // Under the lease: nobody saves in between.
        let found = match self.record(moment.into()).await {
            Ok(found) => found,
            Err(error) => {
                hold.release().await;
                return Err(error);
            }
        };
        let had_blobs = stored.as_ref().is_some_and(|stored| stored.metadata.blob_ids.is_some());
        let (expected, replaced) = stored.map(|stored| (stored.revision, stored.state)).unzip();
        let mut write = copy(found, key.clone(), expected)
            .with_ttl(ttl)
            .with_action(Action::Restore)
            .with_replaced(replaced);
        // Those of the version are there, because it is kept; others are of versions between.
        if had_blobs {
            write.record.metadata.blob_ids.get_or_insert_default();
        }
        hold.save(Box::new(write)).await.map(|saved| saved.revision())
    }

    /// Saves a copy of a version under another key, which must have no state.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the other key has a state, [`Error::NoSuchVersion`] if the history
    /// does not go there or there was no state, and as [`StateManager::save_state`].
    ///
    /// # Cancellation
    /// Dropped before the save begins, nothing happens. A save that has begun runs to its end.
    pub async fn fork(&self, moment: impl Into<Moment>, to: &StateKey) -> Result<Revision, Error> {
        let manager = &self.manager;
        let ttl = manager.ttl(None)?;
        let found = self.record(moment.into()).await?;
        let hold = Hold::acquire(manager, manager.place(to), manager.inner.wait).await?;
        let blob_ids = found.metadata.blob_ids.clone().unwrap_or_default();
        if let Err(error) = manager.bring_blobs(&hold, &self.key, &blob_ids).await {
            hold.release().await;
            return Err(error);
        }
        let write = copy(found, to.clone(), None).with_ttl(ttl).with_action(Action::Fork);
        hold.save(Box::new(write)).await.map(|saved| saved.revision())
    }

    /// Whether the history is what was written, from its first entry to its last.
    ///
    /// # Errors
    /// [`Error::HistoryBroken`] with the first entry that is wrong.
    pub async fn verify(&self) -> Result<Verified, Error> {
        self.backend()?.verify_history(&self.key).await
    }

    /// Removes what need not stay, and gives the number of entries that it removed. The pruning is
    /// an entry itself.
    ///
    /// # Errors
    /// As all methods of this type.
    pub async fn prune(&self, retention: Retention) -> Result<u64, Error> {
        if !self.manager.is_on() {
            return Ok(0);
        }
        let pruned = self.backend()?.prune_history(&self.key, retention).await;
        if pruned.as_ref().is_ok_and(|pruned| *pruned > 0) {
            self.manager.sweep_blobs_if_free(&self.key).await;
        }
        pruned
    }

    async fn record(&self, moment: Moment) -> Result<Record, Error> {
        let found = self.backend()?.load_history(&self.key, moment).await?;
        let location = &self.manager.inner.location;
        found.ok_or_else(|| Error::no_such_version(&self.key, location, moment))
    }

    fn backend(&self) -> Result<&dyn HistoryBackend, Error> {
        if !self.manager.is_on() {
            let reason = "the manager is switched off, and so is its history".to_owned();
            return Err(Error::Config { reason });
        }
        let backend = self.manager.backend();
        let none = || Error::NoHistory { backend: backend.location().to_owned() };
        backend.history().ok_or_else(none)
    }
}

/// A save of a version once more.
fn copy(found: Record, key: StateKey, expected: Option<Revision>) -> Write {
    let Record { state_type, metadata, state, .. } = found;
    let mut metadata: Metadata = metadata.saved_now();
    // Who made that version, and in which phase, is not who makes the copy.
    (metadata.actor, metadata.phase_completed) = (None, None);
    let state_type: Option<Cow<'static, str>> = state_type;
    let record = Record::new(key, Revision::after(expected), state_type, metadata, state);
    Write::new(record, expected)
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History")
            .field("location", &self.manager.inner.location)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
