//! Where what is archived comes from, and how it is removed there.

use std::collections::VecDeque;
use std::time::SystemTime;

use async_trait::async_trait;
use tokio::task::JoinSet;

use super::entry::{Entry, Id, Kind, Row};
use super::problem::Problem;
use crate::backend::{Opened, StateBackend};
use crate::error::Error;
use crate::holder::Holder;
use crate::manager::StateManager;
use crate::query::{Filter, OrderBy, Position, Search, saved_at};

/// How many states are asked for at once, and removed at once.
const PAGE: usize = 100;
const AT_ONCE: usize = 8;

/// Rows that are to be archived.
#[async_trait]
pub(super) trait Source: Send {
    /// The kind of its rows.
    fn kind(&self) -> Kind;

    /// Where they are.
    fn backend(&self) -> &dyn StateBackend;

    /// The next rows, at most so many. A row comes once.
    async fn next(&mut self, limit: usize) -> Result<Due, Error>;

    /// Removes these rows, as far as they are as they were archived. It may be asked again for
    /// some that are gone.
    async fn remove(&self, rows: Vec<Id>) -> Result<Removed, Error>;
}

/// Rows that are due.
#[derive(Default)]
pub(super) struct Due {
    pub(super) entries: Vec<Entry>,
    /// How many cannot be read. They stay.
    pub(super) unreadable: u64,
    pub(super) is_last: bool,
}

/// What became of rows.
#[derive(Debug, Default)]
pub(super) struct Removed {
    /// They are gone.
    pub(super) gone: u64,
    /// They were saved since: what is archived is an earlier version.
    pub(super) changed: u64,
    /// Somebody is at work on them.
    pub(super) busy: Vec<Id>,
}

/// The states that were not saved since a time.
pub(super) struct States {
    manager: StateManager,
    filter: Filter,
    after: Option<Position>,
}

impl States {
    pub(super) fn new(manager: StateManager, before: SystemTime, filter: Filter) -> Self {
        Self { manager, filter: saved_at().lt(before).and(filter), after: None }
    }
}

#[async_trait]
impl Source for States {
    fn kind(&self) -> Kind {
        Kind::State
    }

    fn backend(&self) -> &dyn StateBackend {
        &**self.manager.backend()
    }

    async fn next(&mut self, limit: usize) -> Result<Due, Error> {
        let mut search = Search::new(self.filter.clone(), limit.min(PAGE));
        (search.order, search.with_states) = (vec![OrderBy::new(saved_at(), false)], true);
        search.after = self.after.take();
        let page = self.backend().find_states(&search).await?;
        let mut due = Due { is_last: page.next.is_none(), ..Due::default() };
        self.after = page.next;
        for hit in page.rows {
            let entry = hit.ok().and_then(|hit| Entry::of_state(&hit.found, &hit.record?).ok());
            match entry {
                Some(entry) => due.entries.push(entry),
                None => due.unreadable += 1,
            }
        }
        Ok(due)
    }

    async fn remove(&self, rows: Vec<Id>) -> Result<Removed, Error> {
        let mut rows = VecDeque::from(rows);
        let (mut running, mut removed) = (JoinSet::new(), Removed::default());
        loop {
            while running.len() < AT_ONCE
                && let Some(row) = rows.pop_front()
            {
                let manager = self.manager.clone();
                running.spawn(async move { (remove(&manager, &row).await, row) });
            }
            let Some(ended) = running.join_next().await else { return Ok(removed) };
            let stopped =
                |_| Error::backend(None, self.backend().location(), "archive", Problem::Stopped);
            let (outcome, row) = ended.map_err(stopped)?;
            match outcome? {
                Outcome::Gone => removed.gone += 1,
                Outcome::Changed => removed.changed += 1,
                Outcome::Busy => removed.busy.push(row),
            }
        }
    }
}

enum Outcome {
    Gone,
    Changed,
    Busy,
}

/// Removes a state under its lease, so that no call is at work on it, if no save changed it.
async fn remove(manager: &StateManager, row: &Id) -> Result<Outcome, Error> {
    let backend = manager.backend();
    let Opened::Acquired { lease, record } =
        backend.acquire_and_load(&row.key, &Holder::current()).await?
    else {
        return Ok(Outcome::Busy);
    };
    let found = record.map(|record| record.revision);
    let outcome = match found {
        None => Ok(Outcome::Gone),
        Some(found) if row.row == Row::State(found) => {
            backend.delete_state(&lease).await.map(|_| Outcome::Gone)
        }
        Some(_) => Ok(Outcome::Changed),
    };
    if let Ok(Outcome::Gone) = outcome {
        manager.sweep_under(&lease, &[]).await;
    }
    let released = match backend.release_lease(&lease).await {
        Err(Error::LeaseLost { .. }) => Ok(()),
        released => released,
    };
    let outcome = match outcome {
        // Who took it since is at work on it.
        Err(Error::LeaseLost { .. }) => Outcome::Busy,
        outcome => outcome?,
    };
    released.map(|()| outcome)
}
