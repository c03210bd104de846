//! What need not stay of histories, on its way into an archive.

use std::collections::{HashMap, VecDeque};
use std::fmt;

use async_trait::async_trait;

use super::entry::{Entry, Id, Kind, Row};
use super::problem::Problem;
use super::run::Run;
use super::source::{Due, Removed, Source};
use super::{Archive, PER_FILE, Progress, Report};
use crate::backend::{HistoryBackend, StateBackend};
use crate::error::Error;
use crate::history::{Anchor, HistoryRow, Retention};
use crate::key::StateKey;
use crate::manager::StateManager;

/// How many keys are asked for at once.
const PAGE: usize = 100;

impl Archive {
    /// Moves here what need not stay of the histories of all keys, also of states that are gone:
    /// what is older than so long, by the clock of the backend, or all but so many versions. What
    /// stays can be rebuilt without the archive.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use cogency_state::archive::Archive;
    /// # use cogency_state::{Moment, Retention, StateKey, StateManager};
    /// # async fn run(manager: &StateManager) -> Result<(), cogency_state::Error> {
    /// let archive = Archive::in_folder("/srv/archive")?;
    /// let quarter = Duration::from_secs(90 * 24 * 60 * 60);
    /// archive.history(manager, Retention::Age(quarter)).run().await?;
    ///
    /// let alice = StateKey::for_user("alice")?;
    /// let first = archive.load_history(&alice, Moment::Version(1)).await?;
    /// archive.verify_history(manager, &alice).await?; // across the border
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Let the backend itself keep all of it: what it prunes by itself is in no archive.
    pub fn history<'a>(&'a self, manager: &'a StateManager, stays: Retention) -> MoveHistory<'a> {
        let (told, meant) = (Box::new(|_: &Progress| ()), Box::new(|_: &StateKey| true));
        MoveHistory { archive: self, manager, stays, meant, per_file: PER_FILE, told }
    }
}

/// Histories that are to be moved into an archive: see [`Archive::history`].
#[must_use = "nothing is moved before `run`"]
pub struct MoveHistory<'a> {
    archive: &'a Archive,
    manager: &'a StateManager,
    stays: Retention,
    meant: Box<dyn Fn(&StateKey) -> bool + Send + Sync + 'a>,
    per_file: usize,
    told: Box<dyn Fn(&Progress) + Send + Sync + 'a>,
}

impl<'a> MoveHistory<'a> {
    /// Only those of some keys.
    pub fn only(mut self, meant: impl Fn(&StateKey) -> bool + Send + Sync + 'a) -> Self {
        self.meant = Box::new(meant);
        self
    }

    /// About so many entries in one file, 1,000 unless told; those that a version is rebuilt from
    /// are in one file, so it may have some more. All of them are in memory at once.
    pub fn per_file(mut self, entries: usize) -> Self {
        self.per_file = entries.max(1);
        self
    }

    /// Tells of each step.
    pub fn on_progress(mut self, told: impl Fn(&Progress) + Send + Sync + 'a) -> Self {
        self.told = Box::new(told);
        self
    }

    /// Moves them. First it ends what an earlier run began that was interrupted.
    ///
    /// Entries are removed only once the file that they are in was read back and found to be right.
    /// Nobody who is at work on a state is held up, and each removal is an entry of the history
    /// itself. A history that is not what was written, or has a damaged blob, stays as it is, and counts
    /// as unreadable.
    ///
    /// # Errors
    /// [`Error::NoHistory`] if the backend keeps none, [`Error::Config`] if it does not hand it
    /// over, [`Error::Backend`] if the backend or the archive fails. What was done until then
    /// counts; the next run goes on from there.
    ///
    /// # Cancellation
    /// At any moment, as a `kill -9`: nothing is lost, and the next run goes on from there.
    pub async fn run(self) -> Result<Report, Error> {
        let mut histories = Histories {
            manager: self.manager.clone(),
            stays: self.stays,
            meant: &*self.meant,
            keys: VecDeque::new(),
            last_key: None,
            after: Anchor::NONE,
        };
        histories.history()?;
        Run::new(&self.archive.place, &mut histories, self.per_file, &*self.told).go().await
    }
}

impl fmt::Debug for MoveHistory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MoveHistory")
            .field("archive", &self.archive)
            .field("stays", &self.stays)
            .finish_non_exhaustive()
    }
}

/// Entries that need not stay, key by key.
struct Histories<'a> {
    manager: StateManager,
    stays: Retention,
    meant: &'a (dyn Fn(&StateKey) -> bool + Send + Sync),
    /// What comes next.
    keys: VecDeque<StateKey>,
    last_key: Option<StateKey>,
    /// The last entry of the first of them that was taken.
    after: Anchor,
}

impl Histories<'_> {
    fn history(&self) -> Result<&dyn HistoryBackend, Error> {
        let none = || Error::NoHistory { backend: self.backend().location().to_owned() };
        self.backend().history().ok_or_else(none)
    }

    /// `false` if there are no more keys.
    async fn next_keys(&mut self) -> Result<bool, Error> {
        while self.keys.is_empty() {
            let keys = self.history()?.history_keys(self.last_key.as_ref(), PAGE).await?;
            let Some(last) = keys.last() else { return Ok(false) };
            self.last_key = Some(last.clone());
            self.keys = keys.into_iter().filter(|key| (self.meant)(key)).collect();
        }
        Ok(true)
    }

    fn is_done_with_key(&mut self) {
        self.keys.pop_front();
        self.after = Anchor::NONE;
    }

    fn due(&mut self, key: &StateKey, rows: &[HistoryRow]) -> Result<Due, Problem> {
        self.after = rows.last().map_or(self.after, HistoryRow::place);
        let entries = rows.iter().map(|row| Entry::of_history(key, row));
        Ok(Due { entries: entries.collect::<Result<_, _>>()?, ..Due::default() })
    }
}

#[async_trait]
impl Source for Histories<'_> {
    fn kind(&self) -> Kind {
        Kind::History
    }

    fn backend(&self) -> &dyn StateBackend {
        &**self.manager.backend()
    }

    async fn next(&mut self, limit: usize) -> Result<Due, Error> {
        while self.next_keys().await? {
            let Some(key) = self.keys.front().cloned() else { continue };
            let rows = self.history()?.export_history(&key, self.after, self.stays, limit).await;
            match rows {
                Ok(rows) if rows.is_empty() => self.is_done_with_key(),
                Ok(rows) => {
                    let due = self.due(&key, &rows);
                    let location = self.backend().location();
                    return due.map_err(|problem| {
                        Error::backend(Some(&key), location, "archive", problem)
                    });
                }
                Err(Error::HistoryBroken { .. }) => {
                    self.is_done_with_key();
                    return Ok(Due { unreadable: 1, ..Due::default() });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Due { is_last: true, ..Due::default() })
    }

    async fn remove(&self, rows: Vec<Id>) -> Result<Removed, Error> {
        let mut last: HashMap<StateKey, (Anchor, u64)> = HashMap::new();
        for Id { key, row } in rows {
            let Row::History(place) = row else { continue };
            let (newest, count) = last.entry(key).or_insert((place, 0));
            *count += 1;
            if place.sequence > newest.sequence {
                *newest = place;
            }
        }
        let mut removed = Removed::default();
        for (key, (newest, count)) in last {
            if self.history()?.prune_history_through(&key, newest).await? {
                removed.gone += count;
                self.manager.sweep_blobs_if_free(&key).await;
            } else {
                removed.changed += count;
            }
        }
        Ok(removed)
    }
}
