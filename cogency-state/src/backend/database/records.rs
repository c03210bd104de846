//! What all operations share: asking until there is an answer, and reading.

use std::fmt;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

use super::apart::Layout;
use super::connections::{Run, Server};
use super::dialect::Script;
use super::kept::Kept;
use super::known::Known;
use super::migrations::Migrate;
use super::problem::{Failure, Miss, Problem};
use super::row;
use super::statement::{Argument, Cells, Rows};
use crate::backend::Lease;
use crate::error::Error;
use crate::history::Retention;
use crate::key::{StateKey, valid_id};
use crate::record::Record;

/// Between two tries.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(5);
pub(super) const LAST_PAUSE: Duration = Duration::from_millis(100);

/// Where `load` has a record.
const LOADED: Layout = Layout { record: 0, is_apart: 7, entry: 8 };

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) connect: Duration,
    pub(super) respond: Duration,
    /// How long something is tried again that was not done, or whose answer was lost.
    pub(super) retry: Duration,
}

/// The records in the tables of one prefix.
pub(super) struct Records {
    pub(super) server: Box<dyn Server>,
    pub(super) location: String,
    pub(super) lease_ttl: Duration,
    pub(super) patience: Patience,
    pub(super) migrate: Migrate,
    /// How much of each history stays; `None` if none is kept.
    pub(super) retention: Option<Retention>,
    /// What stays of some histories instead: the first that fits counts.
    pub(super) kept: Vec<Kept>,
    /// A state that is not larger stands in its row as a whole.
    pub(super) whole_up_to: usize,
    pub(super) known: Known,
    /// Set once the tables are as they have to be.
    pub(super) ready: OnceCell<()>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) rows: Rows,
    /// Whether an earlier try may have been done too.
    pub(super) is_doubtful: bool,
}

impl Answer {
    /// The only row.
    pub(super) fn row(&self) -> Result<&dyn Cells, Problem> {
        self.rows.last().map(|row| &**row).ok_or(Problem::Strange("no row"))
    }
}

impl Records {
    /// Connects, and sees to the tables. A server that is away is waited for for as long as a
    /// connection may take, and others that are at the tables too.
    pub(super) async fn connect(&self) -> Result<(), Error> {
        let deadline = Instant::now() + self.patience.connect;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.ready.get_or_try_init(|| self.server.migrate(self.migrate)).await {
                Ok(()) => return Ok(()),
                Err(Miss::NotYet(_)) if Instant::now() < deadline => sleep(pause).await,
                Err(miss) => return Err(self.failed(None, "connect", miss.problem().into())),
            }
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Whether what the server acknowledges survives a power cut.
    pub(super) async fn is_durable(&self) -> Result<bool, Error> {
        let durable = async {
            let answer = self.ask(Script::IsDurable, &[], 0).await?;
            Ok::<_, Failure>(answer.row()?.int(0)? == Some(1))
        };
        durable.await.map_err(|failure| self.failed(None, "connect", failure))
    }

    /// Runs a script until there is an answer, within bounds. `bytes` are those of a large value.
    pub(super) async fn ask(
        &self,
        script: Script,
        arguments: &[Argument<'_>],
        bytes: usize,
    ) -> Result<Answer, Failure> {
        self.ask_alone_if(false, script, arguments, bytes).await
    }

    /// The same, by itself if its answer is not for others to wait for.
    pub(super) async fn ask_alone_if(
        &self,
        mut is_alone: bool,
        script: Script,
        arguments: &[Argument<'_>],
        bytes: usize,
    ) -> Result<Answer, Failure> {
        let within = self.patience.respond + allowance(bytes);
        let deadline = Instant::now() + self.patience.retry;
        let (mut is_doubtful, mut pause) = (false, FIRST_PAUSE);
        loop {
            let run = Run { script, arguments, within, is_alone };
            // What fails once goes by itself: it is not for others to fail with it once more.
            is_alone = true;
            let (problem, may_try_again) = match self.try_once(run).await {
                Ok(rows) => return Ok(Answer { rows, is_doubtful }),
                Err(Miss::Final(problem)) => (problem, false),
                Err(Miss::NotYet(problem)) => (problem, Instant::now() < deadline),
                Err(Miss::Doubtful(problem)) => {
                    // However late it is: what is in doubt is looked at once more.
                    let is_first = !std::mem::replace(&mut is_doubtful, true);
                    (problem, is_first || Instant::now() < deadline)
                }
            };
            if !may_try_again {
                return Err(Failure { problem, is_doubtful });
            }
            sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    async fn try_once(&self, run: Run<'_>) -> Result<Rows, Miss> {
        self.connected().await?;
        self.server.run(run).await
    }

    /// Sees to it that the tables are there. What fails here was not begun.
    pub(super) async fn connected(&self) -> Result<(), Miss> {
        let ready = self.ready.get_or_try_init(|| self.server.migrate(self.migrate)).await;
        ready.copied().map_err(|miss| match miss {
            Miss::Doubtful(problem) => Miss::NotYet(problem),
            miss => miss,
        })
    }

    pub(super) async fn load(&self, key: &StateKey) -> Result<Option<Record>, Error> {
        let arguments = [key.user_id().into(), key.session_id().into()];
        let answer = self.ask(Script::Load, &arguments, LARGE).await;
        let answer = answer.map_err(|failure| self.failed(Some(key), "load", failure))?;
        match self.find_record(key, &answer.rows, LOADED, None)? {
            Some(found) => self.whole(found).await.map(Some),
            None => Ok(None),
        }
    }

    pub(super) async fn list(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        let user_id = valid_id("user_id", user_id)?;
        let answer = self.ask(Script::List, &[user_id.into()], 0).await;
        let answer = answer.map_err(|failure| self.failed(None, "list", failure))?;
        let sessions = answer.rows.iter().map(|found| row::text(&**found, 0));
        sessions
            .map(|session| {
                let strange = || Problem::Strange("a session that is no id");
                let session = session.ok().flatten().ok_or_else(strange);
                let session = session.map_err(|p| self.failed(None, "list", p.into()))?;
                StateKey::new(user_id, session)
            })
            .collect()
    }

    /// So many keys in order, behind a key.
    pub(super) async fn list_after(
        &self,
        script: Script,
        after: Option<&StateKey>,
        most: usize,
    ) -> Result<Vec<StateKey>, Error> {
        // No id is as small as an empty text.
        let (user, session) = after.map_or(("", ""), |key| (key.user_id(), key.session_id()));
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let arguments = [user.into(), user.into(), session.into(), most.into()];
        let failed = |failure| self.failed(None, "list the keys of all users", failure);
        let answer = self.ask(script, &arguments, 0).await.map_err(failed)?;
        let keys = answer.rows.iter().map(|found| {
            let (user, session) = (row::text(&**found, 0)?, row::text(&**found, 1)?);
            let key =
                user.zip(session).and_then(|(user, session)| StateKey::new(user, session).ok());
            key.ok_or(Problem::Strange("a key that is none"))
        });
        keys.collect::<Result<_, _>>().map_err(|problem| failed(problem.into()))
    }

    pub(super) async fn remove_expired(&self) -> Result<usize, Error> {
        let removed = async {
            let answer = self.ask(Script::RemoveExpired, &[], 0).await?;
            Ok::<_, Failure>(answer.row()?.int(0)?.unwrap_or(0))
        };
        let removed = removed.await;
        let removed =
            removed.map_err(|failure| self.failed(None, "remove expired states", failure))?;
        self.remove_stray_blobs().await?;
        Ok(usize::try_from(removed).unwrap_or(0))
    }

    pub(super) fn failed(
        &self,
        key: Option<&StateKey>,
        operation: &'static str,
        failure: Failure,
    ) -> Error {
        failure.problem.into_error(key, &self.location, operation)
    }

    pub(super) fn lost(&self, lease: &Lease) -> Error {
        Error::lease_lost(lease.key(), &self.location, lease.token())
    }
}

/// What is loaded may be large: nobody knows before.
pub(super) const LARGE: usize = 10 << 20;

/// A large state has another second for each MiB.
pub(super) fn allowance(bytes: usize) -> Duration {
    Duration::from_secs((bytes >> 20) as u64)
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("location", &self.location).finish_non_exhaustive()
    }
}
