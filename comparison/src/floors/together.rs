//! SQLite by rusqlite, where saves that arrive together share a commit.

use std::thread;

use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::{mpsc, oneshot};

use super::turned;
use crate::chat::{Chat, Turn};
use crate::contestant::{Outcome, Store};

const TABLE: &str = "\
PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS together (
    id TEXT PRIMARY KEY, version INTEGER NOT NULL, data BLOB NOT NULL
);";
const LOAD: &str = "SELECT version, data FROM together WHERE id = ?1";
const SAVE: &str = "\
INSERT INTO together VALUES (?1, ?2, ?3)
ON CONFLICT (id) DO UPDATE SET version = ?2, data = ?3 WHERE version = ?2 - 1";

/// At most so many wait for one commit.
const BATCH: usize = 256;

type Answer<T> = oneshot::Sender<Result<T, rusqlite::Error>>;
type Found = Option<(i64, Vec<u8>)>;

enum Request {
    Load { key: String, answer: Answer<Found> },
    Save { key: String, version: i64, json: Vec<u8>, answer: Answer<bool> },
}

/// A thread has the connection, and does what there is to do in one transaction.
pub(crate) struct Together(mpsc::UnboundedSender<Request>);

impl Together {
    pub(crate) fn in_file(path: &str) -> Outcome<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(TABLE)?;
        let (sender, requests) = mpsc::unbounded_channel();
        thread::spawn(move || work(connection, requests));
        Ok(Self(sender))
    }

    async fn save(&self, key: &str, version: i64, json: Vec<u8>) -> Outcome<()> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Request::Save { key: key.to_owned(), version, json, answer })?;
        answered.await??.then_some(()).ok_or_else(|| "somebody else saved".into())
    }
}

impl Store for Together {
    async fn first(&self, key: &str, chat: &Chat) -> Outcome<()> {
        self.save(key, 1, chat.json()).await
    }

    async fn turn(&self, key: &str, turn: Turn) -> Outcome<()> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Request::Load { key: key.to_owned(), answer })?;
        let (version, json) = answered.await??.ok_or("nothing was put there")?;
        self.save(key, version + 1, turned(&json, turn)?).await
    }
}

fn work(mut connection: Connection, mut requests: mpsc::UnboundedReceiver<Request>) {
    let mut batch = Vec::new();
    while requests.blocking_recv_many(&mut batch, BATCH) > 0 {
        let mut saves = Vec::new();
        for request in batch.drain(..) {
            match request {
                Request::Load { key, answer } => drop(answer.send(load(&connection, &key))),
                Request::Save { key, version, json, answer } => {
                    saves.push((key, version, json, answer));
                }
            }
        }
        if !saves.is_empty() {
            commit(&mut connection, saves);
        }
    }
}

fn load(connection: &Connection, key: &str) -> rusqlite::Result<Found> {
    let mut load = connection.prepare_cached(LOAD)?;
    load.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

type Save = (String, i64, Vec<u8>, Answer<bool>);

fn commit(connection: &mut Connection, saves: Vec<Save>) {
    let mut done = Vec::new();
    let committed = connection.transaction().and_then(|transaction| {
        for (key, version, json, answer) in saves {
            let mut save = transaction.prepare_cached(SAVE)?;
            done.push((save.execute(params![key, version, json]), answer));
        }
        transaction.commit()
    });
    // Whose answer is dropped is told so.
    if committed.is_ok() {
        for (saved, answer) in done {
            let _ = answer.send(saved.map(|rows| rows == 1));
        }
    }
}
