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
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;
use rusqlite::types::Value;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::statements::{self, Texts};
use crate::backend::database::dialect::{Script, Writer};
use crate::backend::database::problem::{Miss, Problem};
use crate::backend::database::statement::{Argument, Rows};

/// So much is written together at most.
const MOST: usize = 128;
const MOST_BYTES: usize = 32 << 20;
/// So many wait at most.
const MOST_WAITING: usize = 1024;
/// A connection that is idle for longer is closed.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

type Answer = Result<Rows, Miss>;

/// The way to the thread.
pub(super) struct FileWriter {
    path: PathBuf,
    texts: Arc<Texts>,
    /// `None` until something is to be written.
    to: Mutex<Option<SyncSender<Task>>>,
}

/// A script of somebody who waits.
struct Task {
    script: Script,
    arguments: Vec<Value>,
    bytes: usize,
    /// Nobody listens any more if it was given up: then it is not begun.
    tell: oneshot::Sender<Answer>,
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
            match to.try_send(task) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => return Err(Miss::NotYet(Problem::Crowded)),
                Err(TrySendError::Disconnected(refused)) => task = refused,
            }
        }
        let started = to.insert(self.start()?);
        started.try_send(task).map_err(|_gone| gone())
    }

    fn start(&self) -> Result<SyncSender<Task>, Miss> {
        let (to, tasks) = sync_channel(MOST_WAITING);
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
        let bytes = arguments.iter().map(Argument::bytes).sum();
        let arguments = arguments.iter().map(statements::owned).collect();
        self.hand_over(Task { script, arguments, bytes, tell })?;
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
        let (mut bytes, mut all) = (first.bytes, vec![first]);
        while all.len() < MOST && bytes < MOST_BYTES {
            let Ok(next) = tasks.try_recv() else { break };
            bytes += next.bytes;
            all.push(next);
        }
        all.retain(|one| !one.tell.is_closed());
        if all.is_empty() {
            return;
        }
        match self.together(&all) {
            Ok(answers) => tell(all, answers.into_iter().map(Ok)),
            // Somebody else is at the file: it is not for each of them to wait for that in turn.
            Err(miss @ (Miss::Doubtful(_) | Miss::NotYet(_))) => tell_all(all, miss),
            Err(miss) if all.len() == 1 => tell_all(all, miss),
            // It was rolled back: each by itself, so that none suffers from another.
            Err(_) => all.into_iter().for_each(|one| self.alone(one)),
        }
    }

    fn alone(&mut self, one: Task) {
        if one.tell.is_closed() {
            return;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn task(number: i64) -> (Task, oneshot::Receiver<Answer>) {
        let (tell, told) = oneshot::channel();
        let arguments = vec![Value::Integer(number)];
        (Task { script: Script::Save, arguments, bytes: 8, tell }, told)
    }

    #[test]
    fn what_was_given_up_before_its_turn_is_not_begun() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("states.db");
        let other = Connection::open(&path).unwrap();
        other.execute_batch("CREATE TABLE numbers (number INTEGER)").unwrap();
        let texts = [(Script::Save, vec!["INSERT INTO numbers VALUES (?1)".to_owned()])];
        let mut thread = Thread { path, texts: Arc::new(texts.into()), connection: None };
        let (to, tasks) = sync_channel(MOST_WAITING);
        let (first, given_up) = task(1);
        drop(given_up);
        let (second, mut told) = task(2);
        to.try_send(second).unwrap();
        thread.write(first, &tasks);
        assert!(told.try_recv().unwrap().is_ok());
        let sum = "SELECT sum(number) FROM numbers";
        assert_eq!(other.query_row(sum, [], |row| row.get::<_, i64>(0)).unwrap(), 2);
    }

    #[tokio::test]
    async fn a_full_queue_takes_no_more_and_says_so() {
        let writer = FileWriter::new(PathBuf::new(), &HashMap::new());
        let (to, _tasks) = sync_channel(1);
        *writer.to.lock().unwrap() = Some(to);
        assert!(writer.hand_over(task(1).0).is_ok());
        let full = writer.hand_over(task(2).0).unwrap_err();
        assert!(matches!(full, Miss::NotYet(Problem::Crowded)), "{full:?}");
    }
}
