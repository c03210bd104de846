//! What all operations share, and loading.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use redis::Value;

use super::RedisDurability;
use super::keys::Keys;
use super::known::{Known, KnownRecord};
use super::network::Network;
use super::problem::{Failure, Problem, Refusal};
use super::request::Request;
use super::scripts::LOAD;
use crate::backend::Lease;
use crate::envelope;
use crate::error::Error;
use crate::key::StateKey;
use crate::record::Record;

/// A larger value does not go through a script: there it would be copied twice.
pub(super) const INLINE_BYTES: usize = 64 << 10;

/// The records of one prefix.
pub(super) struct Records {
    pub(super) network: Network,
    pub(super) keys: Keys,
    pub(super) lease_ttl: Duration,
    pub(super) known: Known,
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
        self.document(key).await?.map(|document| self.read(key, &document)).transpose()
    }

    /// What is stored, as it is.
    pub(super) async fn document(&self, key: &StateKey) -> Result<Option<Bytes>, Error> {
        let name = self.keys.record(key);
        let most = INLINE_BYTES.to_string();
        let request = Request::new().then_script(&LOAD, &[&name], &[most.as_bytes()]);
        let answer = self.value(&request).await;
        match answer.map_err(|failure| self.failed(Some(key), "load", failure))? {
            Value::BulkString(document) => Ok(Some(document.into())),
            Value::Nil => Ok(None),
            Value::Int(length) => self.large_document(key, length).await,
            _ => Err(self.failed(Some(key), "load", Problem::Strange("no value").into())),
        }
    }

    /// What is stored, where that is about so many bytes.
    pub(super) async fn large_document(
        &self,
        key: &StateKey,
        length: i64,
    ) -> Result<Option<Bytes>, Error> {
        let mut get = redis::cmd("GET");
        get.arg(self.keys.record(key));
        let request = Request::one(get).of_bytes(usize::try_from(length).unwrap_or(0));
        let answer = self.value(&request).await;
        match answer.map_err(|failure| self.failed(Some(key), "load", failure))? {
            Value::BulkString(document) => Ok(Some(document.into())),
            Value::Nil => Ok(None),
            _ => Err(self.failed(Some(key), "load", Problem::Strange("no value").into())),
        }
    }

    pub(super) fn read(&self, key: &StateKey, document: &Bytes) -> Result<Record, Error> {
        let record = Record::from_json(key, self.location(), document)?;
        self.remember(&record, document);
        Ok(record)
    }

    /// Keeps a record at hand, if the server can tell it from others by how its value begins.
    pub(super) fn remember(&self, record: &Record, document: &Bytes) {
        let Ok(beginning) = envelope::beginning(&record.key, record.revision) else { return };
        if document.starts_with(&beginning) {
            let (record, length) = (record.clone(), document.len());
            self.known.put(KnownRecord { record, beginning: beginning.into(), length });
        }
    }

    /// The answer to a request's last command.
    pub(super) async fn value(&self, request: &Request) -> Result<Value, Failure> {
        Ok(self.network.ask(request).await?.last()?)
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
        match failure.problem {
            Problem::NoRuntime => Error::NoRuntime,
            problem => Error::backend(key, self.location(), operation, problem),
        }
    }

    pub(super) fn lost(&self, lease: &Lease) -> Error {
        Error::lease_lost(lease.key(), self.location(), lease.token())
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("location", &self.location()).finish_non_exhaustive()
    }
}
