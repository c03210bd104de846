//! What all operations share, and loading.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use redis::Value;

use super::RedisDurability;
use super::keys::Keys;
use super::known::{Known, KnownRecord, More};
use super::network::Network;
use super::problem::{Failure, Problem, Refusal};
use super::request::{INLINE_BYTES, Request, command};
use crate::backend::Lease;
use crate::envelope::{self, in_history};
use crate::error::Error;
use crate::history::{Break, Retention};
use crate::key::StateKey;
use crate::record::Record;

/// The records of one prefix.
pub(super) struct Records {
    pub(super) network: Network,
    pub(super) keys: Keys,
    pub(super) lease_ttl: Duration,
    pub(super) known: Known,
    /// How much of each history stays, where one is kept.
    pub(super) retention: Option<Retention>,
    /// A larger state is in its history.
    pub(super) whole_up_to: usize,
}

/// What a script said.
pub(super) struct Said {
    pub(super) word: String,
    /// Whether an earlier try of it may have been done too.
    pub(super) is_doubtful: bool,
    /// Why what prepares it was refused.
    pub(super) ahead: Option<Refusal>,
    /// Whether the replicas that are required have what it wrote.
    pub(super) replicated: Result<(), Problem>,
}

impl Records {
    pub(super) fn location(&self) -> &str {
        self.network.location()
    }

    /// Connects, unless there is a connection.
    pub(super) async fn connect(&self) -> Result<Option<RedisDurability>, Error> {
        let found = self.network.connect().await;
        found.map_err(|problem| self.failed(None, "connect", problem.into()))
    }

    pub(super) async fn load(&self, key: &StateKey) -> Result<Option<Record>, Error> {
        let Some(document) = self.document(key).await? else { return Ok(None) };
        let known = self.known.get(key);
        let record = self.record_of(key, document.clone(), known.as_ref()).await?;
        if let Some(record) = &record
            && known.is_none_or(|known| known.record.revision != record.revision)
        {
            self.knows(record, &document, |entry| More { entry, ..More::default() });
        }
        Ok(record)
    }

    /// What is stored, as it is.
    pub(super) async fn document(&self, key: &StateKey) -> Result<Option<Bytes>, Error> {
        let (name, last) = (self.keys.record(key), INLINE_BYTES.to_string());
        let request = Request::one(command(&[b"EXISTS", name.as_bytes()])).then(command(&[
            b"GETRANGE",
            name.as_bytes(),
            b"0",
            last.as_bytes(),
        ]));
        let failed = |failure| self.failed(Some(key), "load", failure);
        let mut values = self.network.ask(&request).await.map_err(failed)?.values;
        match (values.pop(), values.pop()) {
            (_, Some(Value::Int(0))) => Ok(None),
            (Some(Value::BulkString(document)), _) if is_whole(&document) => {
                Ok(Some(document.into()))
            }
            (Some(Value::BulkString(_)), _) => self.whole_document(key).await,
            _ => Err(failed(Problem::Strange("no value").into())),
        }
    }

    /// What is stored, if that is not large.
    pub(super) async fn small_document(
        &self,
        key: &StateKey,
        operation: &'static str,
    ) -> Result<Option<Bytes>, Error> {
        let (name, last) = (self.keys.record(key), INLINE_BYTES.to_string());
        let look = command(&[b"GETRANGE", name.as_bytes(), b"0", last.as_bytes()]);
        let failed = |failure| self.failed(Some(key), operation, failure);
        match self.value(&Request::one(look)).await.map_err(failed)? {
            Value::BulkString(document) => {
                Ok(Some(document).filter(|document| is_whole(document)).map(Bytes::from))
            }
            _ => Err(failed(Problem::Strange("no value").into())),
        }
    }

    /// What is stored, however large it is.
    pub(super) async fn whole_document(&self, key: &StateKey) -> Result<Option<Bytes>, Error> {
        self.whole_value(key, &self.keys.record(key), "load").await
    }

    /// A value of a key's, however large it is.
    pub(super) async fn whole_value(
        &self,
        key: &StateKey,
        name: &str,
        operation: &'static str,
    ) -> Result<Option<Bytes>, Error> {
        let failed = |failure| self.failed(Some(key), operation, failure);
        let length = Request::one(command(&[b"STRLEN", name.as_bytes()]));
        let Value::Int(length) = self.value(&length).await.map_err(failed)? else {
            return Err(failed(Problem::Strange("no length").into()));
        };
        let length = usize::try_from(length).unwrap_or(0);
        let get = Request::one(command(&[b"GET", name.as_bytes()])).of_bytes(length);
        match self.value(&get).await.map_err(failed)? {
            Value::BulkString(document) => Ok(Some(document.into())),
            Value::Nil => Ok(None),
            _ => Err(failed(Problem::Strange("no value").into())),
        }
    }

    /// Keeps a record that was read from a document, with more that is known of it and of the entry
    /// that has its state.
    pub(super) fn knows(
        &self,
        record: &Record,
        document: &Bytes,
        more: impl FnOnce(Option<u64>) -> More,
    ) {
        // Another program's record cannot be told from others by how its value begins.
        if let Some(beginning) = envelope::beginning_of(document, record.revision.write_id) {
            let entry = in_history::read(&record.key, document).and_then(Result::ok);
            let known = KnownRecord::new(record.clone(), beginning, document);
            self.known.put(known.with(more(entry.map(|found| found.place.entry))));
        }
    }

    /// A history that cannot be read.
    pub(super) fn broken(&self, key: &StateKey, broken: &Break) -> Error {
        let Break { sequence, reason } = broken;
        Error::history_broken(key, self.location(), *sequence, *reason)
    }

    /// The answer to a request's last command.
    pub(super) async fn value(&self, request: &Request) -> Result<Value, Failure> {
        self.values(request).await?.pop().ok_or(Problem::Strange("no answer").into())
    }

    /// The answers to a request.
    pub(super) async fn values(&self, request: &Request) -> Result<Vec<Value>, Failure> {
        // In a box: futures in futures in futures are more than the compiler can lay out.
        Ok(Box::pin(self.network.ask(request)).await?.values)
    }

    /// Runs a script whose answer is a word.
    pub(super) async fn word(&self, request: &Request) -> Result<Said, Failure> {
        let answer = self.network.ask(request).await?;
        let is_doubtful = answer.is_doubtful;
        let ahead = answer.values.iter().find_map(Refusal::in_answer);
        let replicated = self.replicated(answer.waited.as_ref());
        match redis::from_redis_value(answer.last()?) {
            Ok(word) => Ok(Said { word, is_doubtful, ahead, replicated }),
            Err(_) => Err(Failure { problem: Problem::Strange("not a word"), is_doubtful }),
        }
    }

    pub(super) fn failed(
        &self,
        key: Option<&StateKey>,
        operation: &'static str,
        failure: Failure,
    ) -> Error {
        failure.problem.into_error(key, self.location(), operation)
    }

    pub(super) fn lost(&self, lease: &Lease) -> Error {
        Error::lease_lost(lease.key(), self.location(), lease.token())
    }
}

/// Whether the first bytes of a value, one more than are sent with the others, are all: nothing at
/// all may be no value.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    (1..=INLINE_BYTES).contains(&bytes.len())
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("location", &self.location()).finish_non_exhaustive()
    }
}
