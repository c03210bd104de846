//! Where only one may write at a time: what arrives while somebody writes is written together, by
//! one of those who wait, in one transaction. So they share its commit, and the wait for the disk.
//!
//! ```text
//! alone:     begin A commit                      nobody else was there
//! together:                 begin B C D commit   who came while A was at work
//! ```

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{self, oneshot};
use tokio::time::timeout;

use super::connections::{Connections, not_done};
use super::dialect::{Dialect, Script, Transaction};
use super::problem::{Miss, Problem};
use super::statement::{Argument, Owned, Rows, Session};

/// So much is written together at most.
const MOST: usize = 128;
const MOST_BYTES: usize = 32 << 20;

type Answer = Result<Rows, Miss>;

/// Those who wait to write.
#[derive(Default)]
pub(super) struct Line {
    writing: sync::Mutex<()>,
    waiting: Mutex<VecDeque<Waiting>>,
}

/// A script of somebody who waits.
struct Waiting {
    script: Script,
    arguments: Vec<Owned>,
    within: Duration,
    /// Nobody listens any more if it was given up.
    tell: oneshot::Sender<Answer>,
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.arguments().iter().map(Argument::bytes).sum()
    }

    fn arguments(&self) -> Vec<Argument<'_>> {
        self.arguments.iter().map(Owned::borrow).collect()
    }
}

impl Line {
    fn join(&self, script: Script, arguments: &[Argument<'_>], within: Duration) -> Told {
        let (tell, told) = oneshot::channel();
        let arguments = arguments.iter().map(Owned::of).collect();
        self.lock().push_back(Waiting { script, arguments, within, tell });
        told
    }

    /// Those who came first, as many as may go together.
    fn first(&self) -> Vec<Waiting> {
        let (mut bytes, mut first) = (0, Vec::new());
        let mut waiting = self.lock();
        while let Some(next) = waiting.pop_front() {
            bytes += next.bytes();
            first.push(next);
            let is_over = |after: &Waiting| bytes + after.bytes() > MOST_BYTES;
            if first.len() == MOST || waiting.front().is_some_and(is_over) {
                break;
            }
        }
        first
    }

    /// No code that can panic runs under the lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Told = oneshot::Receiver<Answer>;

impl<DB: Dialect> Connections<DB>
where
    DB::Connection: Session,
{
    /// Writes, alone or together with others.
    pub(super) async fn write(
        &self,
        transaction: &Transaction,
        script: Script,
        arguments: &[Argument<'_>],
        within: Duration,
    ) -> Answer {
        if let Ok(_writing) = self.line.writing.try_lock() {
            return self.run_alone(script, arguments, within).await;
        }
        let mut told = self.line.join(script, arguments, within);
        tokio::select! {
            biased;
            answer = &mut told => answer.unwrap_or_else(|_gone| Err(gone())),
            _writing = self.line.writing.lock() => self.lead(transaction, told).await,
        }
    }

    /// Writes for those who wait, until one's own is written too.
    async fn lead(&self, transaction: &Transaction, mut told: Told) -> Answer {
        loop {
            match told.try_recv() {
                Ok(answer) => return answer,
                Err(oneshot::error::TryRecvError::Closed) => return Err(gone()),
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
            let first = self.line.first();
            if let [only] = &*first {
                let answer = self.run_alone(only.script, &only.arguments(), only.within).await;
                tell(first, [answer]);
            } else {
                self.write_together(transaction, first).await;
            }
        }
    }

    async fn write_together(&self, transaction: &Transaction, all: Vec<Waiting>) {
        let mut lent = match self.connection().await {
            Ok(lent) => lent,
            Err(miss) => return tell_all(all, miss),
        };
        let within = all.iter().map(|one| one.within).max().unwrap_or_default();
        let asking = self.ask_together(lent.connection(), transaction, &all);
        match timeout(within, asking).await {
            Ok(Ok(answers)) => {
                lent.keep();
                tell(all, answers.into_iter().map(Ok));
            }
            Ok(Err(error)) => {
                lent.close(!matches!(error, sqlx::Error::Database(_)));
                match not_done::<DB>(error) {
                    // A commit that failed may be on the disk: none may be told that it is not.
                    doubt @ Miss::Doubtful(_) => tell_all(all, doubt),
                    // It was rolled back: each by itself, so that none suffers from another.
                    Miss::Final(_) | Miss::NotYet(_) => self.write_each(all).await,
                }
            }
            Err(_) => {
                lent.close(false);
                tell_all(all, Miss::Doubtful(Problem::TooSlow(within)));
            }
        }
    }

    async fn write_each(&self, all: Vec<Waiting>) {
        for one in all {
            let answer = self.run_alone(one.script, &one.arguments(), one.within).await;
            tell(vec![one], [answer]);
        }
    }

    async fn ask_together(
        &self,
        connection: &mut DB::Connection,
        transaction: &Transaction,
        all: &[Waiting],
    ) -> Result<Vec<Rows>, sqlx::Error> {
        let ways = transaction.of(all.iter().any(|one| one.script.is_durable()));
        connection.run(ways.begin.to_owned()).await?;
        let mut answers = Vec::with_capacity(all.len());
        for one in all {
            let missing = || sqlx::Error::Protocol("there is no such script".to_owned());
            let text = self.bodies.get(&one.script).ok_or_else(missing)?;
            answers.push(connection.ask(text, &one.arguments(), self.keeps_statements).await?);
        }
        connection.run(ways.commit.to_owned()).await?;
        Ok(answers)
    }
}

/// Whoever wrote it together with others went away.
fn gone() -> Miss {
    Miss::Doubtful(Problem::Lost(sqlx::Error::WorkerCrashed))
}

fn tell(all: Vec<Waiting>, answers: impl IntoIterator<Item = Answer>) {
    for (one, answer) in all.into_iter().zip(answers) {
        // Nobody listens if it was given up.
        drop(one.tell.send(answer));
    }
}

/// The same to all.
fn tell_all(all: Vec<Waiting>, miss: Miss) {
    let (kind, problem): (fn(Problem) -> Miss, _) = match miss {
        Miss::Final(problem) => (Miss::Final, problem),
        Miss::NotYet(problem) => (Miss::NotYet, problem),
        Miss::Doubtful(problem) => (Miss::Doubtful, problem),
    };
    let problem = Arc::new(problem);
    tell(all, std::iter::repeat_with(|| Err(kind(Problem::Shared(Arc::clone(&problem))))));
}
