//! The thread that writes to a file. Only one may write at a time: what arrives while it does is
//! written next, in one transaction, so it shares the commit and the wait for the disk.
//!
//! ```text
//! alone:     begin A commit                      nobody else was there
//! together:                 begin B C D commit   who came while A was at work
//! ```
//!
//! It has a connection of its own, without sqlx, which takes a change of threads for each
//! statement.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::statements::{self, Texts};
use crate::backend::database::dialect::{Script, Writer};
use crate::backend::database::problem::{Miss, Problem};
use crate::backend::database::statement::{Argument, Owned, Rows};

/// So much is written together at most.
const MOST: usize = 128;
const MOST_BYTES: usize = 32 << 20;
/// A connection that is idle for longer is closed.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

type Answer = Result<Rows, Miss>;

/// The way to the thread.
pub(super) struct FileWriter {
    path: PathBuf,
    texts: Arc<Texts>,
    /// `None` until something is to be written.
    to: Mutex<Option<Sender<Task>>>,
}

/// A script of somebody who waits.
struct Task {
    script: Script,
    arguments: Vec<Owned>,
    /// Nobody listens any more if it was given up.
    tell: oneshot::Sender<Answer>,
}

impl Task {
    fn bytes(&self) -> usize {
        self.arguments.iter().map(|argument| argument.borrow().bytes()).sum()
    }
}

impl FileWriter {
    pub(super) fn new(path: PathBuf, bodies: &HashMap<Script, Arc<str>>) -> Self {
        Self { path, texts: Arc::new(statements::texts(bodies)), to: Mutex::default() }
    }

    /// Hands a task over. A thread that is not there, or not any more, is started.
    fn hand_over(&self, mut task: Task) -> Result<(), Miss> {
        // No code that can panic runs under the lock, so a poisoned one is whole.
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(to) = &*to {
            match to.send(task) {
                Ok(()) => return Ok(()),
                Err(refused) => task = refused.0,
            }
        }
        let started = to.insert(self.start()?);
        started.send(task).map_err(|_gone| gone())
    }

    fn start(&self) -> Result<Sender<Task>, Miss> {
        let (to, tasks) = channel();
        let mut thread =
            Thread { path: self.path.clone(), texts: Arc::clone(&self.texts), connection: None };
        let started = thread::Builder::new().name("cogency-state".to_owned());
        let started = started.spawn(move || thread.work(&tasks));
        started.map_err(|error| Miss::NotYet(Problem::NoThread(error)))?;
        Ok(to)
    }
}

#[async_trait]
impl Writer for FileWriter {
    async fn write(&self, script: Script, arguments: &[Argument<'_>], within: Duration) -> Answer {
        let (tell, told) = oneshot::channel();
        let arguments = arguments.iter().map(Owned::of).collect();
        self.hand_over(Task { script, arguments, tell })?;
        match timeout(within, told).await {
            Ok(answer) => answer.unwrap_or_else(|_gone| Err(gone())),
            Err(_) => Err(Miss::Doubtful(Problem::TooSlow(within))),
        }
    }
}

/// Whoever wrote it went away.
fn gone() -> Miss {
    Miss::Doubtful(Problem::Lost(sqlx::Error::WorkerCrashed))
}

struct Thread {
    path: PathBuf,
    texts: Arc<Texts>,
    connection: Option<Connection>,
}

impl Thread {
    /// Until nobody can hand anything over any more.
    fn work(&mut self, tasks: &Receiver<Task>) {
        loop {
            match tasks.recv_timeout(LONGEST_IDLE) {
                Ok(first) => self.write(first, tasks),
                Err(RecvTimeoutError::Timeout) => self.connection = None,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Writes what is there, as much as may go together.
    fn write(&mut self, first: Task, tasks: &Receiver<Task>) {
        let (mut bytes, mut all) = (first.bytes(), vec![first]);
        while all.len() < MOST && bytes < MOST_BYTES {
            let Ok(next) = tasks.try_recv() else { break };
            bytes += next.bytes();
            all.push(next);
        }
        match self.together(&all) {
            Ok(answers) => tell(all, answers.into_iter().map(Ok)),
            Err(doubt @ Miss::Doubtful(_)) => tell_all(all, doubt),
            Err(miss) if all.len() == 1 => tell_all(all, miss),
            // It was rolled back: each by itself, so that none suffers from another.
            Err(_) => all.into_iter().for_each(|one| self.alone(one)),
        }
    }

    fn alone(&mut self, one: Task) {
        let one = [one];
        let answer = self.together(&one).map(|mut answers| answers.pop().unwrap_or_default());
        tell(one, [answer]);
    }

    /// All of them in one transaction, or none.
    fn together(&mut self, all: &[Task]) -> Result<Vec<Rows>, Miss> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => statements::open(&self.path).map_err(statements::not_opened)?,
        };
        let is_durable = all.iter().any(|one| one.script.is_durable());
        let scripts = all.iter().map(|one| (one.script, &*one.arguments));
        let written = statements::write(&connection, &self.texts, is_durable, scripts);
        if written.is_ok() || statements::undo(&connection) {
            self.connection = Some(connection);
        }
        written.map_err(statements::not_done)
    }
}

fn tell(all: impl IntoIterator<Item = Task>, answers: impl IntoIterator<Item = Answer>) {
    for (one, answer) in all.into_iter().zip(answers) {
        // Nobody listens if it was given up.
        drop(one.tell.send(answer));
    }
}

/// The same to all.
fn tell_all(all: Vec<Task>, miss: Miss) {
    let (kind, problem): (fn(Problem) -> Miss, _) = match miss {
        Miss::Final(problem) => (Miss::Final, problem),
        Miss::NotYet(problem) => (Miss::NotYet, problem),
        Miss::Doubtful(problem) => (Miss::Doubtful, problem),
    };
    let problem = Arc::new(problem);
    tell(all, std::iter::repeat_with(|| Err(kind(Problem::Shared(Arc::clone(&problem))))));
}
