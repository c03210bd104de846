//! What a backend offers that keeps a history.

use async_trait::async_trait;

use crate::error::Error;
use crate::history::{
    Anchor, Break, Entry, Event, Head, HistoryEntry, HistoryHash, HistoryRow, Moment, Retention,
    rebuild,
};
use crate::key::StateKey;
use crate::record::Record;

use super::Action;

/// The history of the states that a backend keeps.
///
/// # The rules
/// - Each save and each delete that changed something has one entry, however often it was sent, and
///   each entry stands for something that happened: entry and state change together or not at all.
///   A save's entry says what its [`Write::action`](crate::Write::action) is.
/// - Sequence numbers of a key begin at 1 and have no gaps. The history goes on when the state is
///   deleted and made anew.
/// - A version that is kept comes back as the record that was saved.
/// - Entries are chained: [`verify_history`](Self::verify_history) finds one that was edited,
///   removed or put in.
/// - Nobody needs a lease. Pruning does not disturb a call that is at work on the state.
#[async_trait]
pub trait HistoryBackend: Send + Sync {
    /// The newest entries, the newest first: at most `limit`, of those whose sequence number is less
    /// than `before`. None if the key has no history.
    async fn list_history(
        &self,
        key: &StateKey,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, Error>;

    /// The record of a moment; `None` if there was none.
    ///
    /// # Errors
    /// [`Error::NoSuchVersion`] if the history does not have that version or entry, or if the time
    /// lies before what was pruned; [`Error::HistoryBroken`] if it cannot be rebuilt.
    async fn load_history(&self, key: &StateKey, moment: Moment) -> Result<Option<Record>, Error>;

    /// Whether the history is what was written, from its first entry to its last.
    ///
    /// # Errors
    /// [`Error::HistoryBroken`] with the first entry that is wrong.
    async fn verify_history(&self, key: &StateKey) -> Result<Verified, Error>;

    /// Removes what need not stay, and gives the number of entries that it removed. The pruning is
    /// an entry itself.
    async fn prune_history(&self, key: &StateKey, retention: Retention) -> Result<u64, Error>;

    /// Removes all of a history whose newest entry left a state that is not there any more, without
    /// an entry that says so: it expired, or somebody removed it by other means. Gives the number of
    /// entries that it removed; none where there is a state, or an entry says that it is gone.
    ///
    /// What is provided is for backends whose histories go with a state that expires.
    async fn forget_history(&self, _key: &StateKey) -> Result<u64, Error> {
        Ok(0)
    }

    /// Keys that have a history, also of states that are gone: at most `limit`, in the order of
    /// their bytes, behind the key `after`. The last page is empty.
    ///
    /// For an archive, as all methods below: a backend need not have them.
    ///
    /// # Errors
    /// [`Error::Config`] if it has not.
    async fn history_keys(
        &self,
        _after: Option<&StateKey>,
        _limit: usize,
    ) -> Result<Vec<StateKey>, Error> {
        Err(no_export())
    }

    /// The oldest entries that need not stay, behind the entry `after`, the oldest first. They begin
    /// and end where a rebuild begins anew, so that they can be read without those that stay, and
    /// those without them; so there may be some more than `limit`. None if all has to stay.
    ///
    /// # Errors
    /// [`Error::HistoryBroken`] if they are not what was written.
    async fn export_history(
        &self,
        _key: &StateKey,
        _after: Anchor,
        _stays: Retention,
        _limit: usize,
    ) -> Result<Vec<HistoryRow>, Error> {
        Err(no_export())
    }

    /// Removes the entries up to this one, as [`prune_history`](Self::prune_history) does; those
    /// that are gone already may be named again. `false`, and nothing is removed, if the history has
    /// another entry there, or if what follows could not be rebuilt without them.
    async fn prune_history_through(&self, _key: &StateKey, _last: Anchor) -> Result<bool, Error> {
        Err(no_export())
    }
}

fn no_export() -> Error {
    Error::Config {
        reason: "the backend keeps a history, but does not hand it over to an archive: it has to \
                 implement `HistoryBackend::export_history` and its siblings"
            .to_owned(),
    }
}

/// What a look at a whole history found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// How many entries there are.
    pub entries: u64,
    /// The hash of the newest: kept elsewhere, it tells later that nothing up to there was changed,
    /// not even by somebody who made the whole chain anew. `None` without entries.
    pub hash: Option<HistoryHash>,
    /// Whether the state that is stored is the one of the newest entry. It is not where somebody
    /// changed it by other means, or without a history.
    pub is_current: bool,
    /// The last entry that was pruned: the oldest that is there continues it.
    pub pruned: Option<Anchor>,
}

impl Verified {
    /// How a look at a history of one's own ended.
    #[must_use]
    pub fn new(entries: u64, hash: Option<HistoryHash>, is_current: bool) -> Self {
        Self { entries, hash, is_current, pruned: None }
    }

    /// The same, of a history that was pruned up to there.
    #[must_use]
    pub fn with_pruned(mut self, pruned: Option<Anchor>) -> Self {
        self.pruned = pruned;
        self
    }
}

impl Verified {
    /// Of a history that is whole and stands there, and a state that has this write id.
    pub(crate) fn of(head: Option<&Head>, stored: Option<&str>) -> Self {
        let Some(head) = head else { return Self::new(0, None, stored.is_none()) };
        // Without a state it was deleted, or has expired.
        let is_current = stored.is_none_or(|stored| stored == head.write_id);
        let pruned = Some(head.pruned).filter(|pruned| *pruned != Anchor::NONE);
        let entries = head.sequence - head.pruned.sequence;
        Self::new(entries, Some(head.hash), is_current).with_pruned(pruned)
    }
}

/// The record that the last of these entries left, if it left one. The first is a keyframe, or
/// leaves none.
pub(super) fn record_of(
    entries: &[Entry],
    location: &str,
    key: &StateKey,
) -> Result<Option<Record>, Error> {
    let broken = |sequence, reason: &str| Error::history_broken(key, location, sequence, reason);
    let state = rebuild(entries);
    let state = state.map_err(|Break { sequence, reason }| broken(sequence, reason))?;
    let newest = entries.iter().rfind(|entry| entry.has_state());
    let (Some(state), Some(newest)) = (state, newest) else { return Ok(None) };
    newest.record(key, state).map(Some).map_err(|reason| broken(newest.sequence, reason))
}

impl From<Action> for Event {
    fn from(action: Action) -> Self {
        match action {
            Action::Save => Self::Save,
            Action::Reset => Self::Reset,
            Action::Restore => Self::Restore,
            Action::Fork => Self::Fork,
        }
    }
}
