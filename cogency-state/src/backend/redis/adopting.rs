//! Records that other programs wrote under the same rule are taken into the index.
//!
//! One whose name is not as ours are is renamed: copied, then removed if it is still what was
//! copied. In a cluster the two names are in different slots, so this is no single step. Whoever
//! stops in between leaves both, and the next time goes on from there.

use std::sync::Arc;

use redis::Value;

use super::network::Node;
use super::problem::{Failure, Problem};
use super::records::Records;
use super::request::Request;
use super::scripts::REMOVE;
use crate::error::Error;
use crate::key::StateKey;

/// How many names are looked at in one go.
const AT_ONCE: usize = 1000;

/// What the server says of the time of a key that is not there.
const GONE: i64 = -2;

const LOOK: &str = "look for records";

/// Who notes them.
const ADOPTED: &str = "adopted";

impl Records {
    /// Takes records into the index that another program wrote. Gives how many there were.
    pub(super) async fn adopt(&self) -> Result<usize, Error> {
        let masters = self.network.masters().await;
        let mut adopted = 0;
        for master in masters.map_err(|failure| self.failed(None, LOOK, failure))? {
            adopted += self.adopt_of(&master).await?;
        }
        Ok(adopted)
    }

    /// The same of one server's.
    async fn adopt_of(&self, master: &Arc<Node>) -> Result<usize, Error> {
        let mut adopted = 0;
        let mut cursor = 0;
        loop {
            let names;
            (cursor, names) = self.scan(master, cursor, AT_ONCE).await?;
            for name in names {
                adopted += usize::from(self.adopt_one(&name).await?);
            }
            if cursor == 0 {
                return Ok(adopted);
            }
        }
    }

    /// Some names of records, and where to go on.
    pub(super) async fn scan(
        &self,
        master: &Arc<Node>,
        cursor: u64,
        at_once: usize,
    ) -> Result<(u64, Vec<String>), Error> {
        self.scan_for(master, cursor, &self.keys.any_record(), "string", at_once).await
    }

    /// Some names of a pattern and a type, and where to go on.
    pub(super) async fn scan_for(
        &self,
        master: &Arc<Node>,
        cursor: u64,
        pattern: &str,
        of_type: &str,
        at_once: usize,
    ) -> Result<(u64, Vec<String>), Error> {
        let mut command = redis::cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(pattern);
        command.arg("COUNT").arg(at_once).arg("TYPE").arg(of_type);
        let failed = |failure| self.failed(None, LOOK, failure);
        let answer = self.network.ask_at(master, &Request::one(command)).await;
        let answer = answer.and_then(|answer| Ok(answer.last()?)).map_err(failed)?;
        let (cursor, names): (u64, Vec<Vec<u8>>) = redis::from_redis_value(answer)
            .map_err(|_| failed(Problem::Strange("not a part of the keys").into()))?;
        // A name that is no text is not one of ours.
        Ok((cursor, names.into_iter().filter_map(|name| String::from_utf8(name).ok()).collect()))
    }

    async fn adopt_one(&self, name: &str) -> Result<bool, Error> {
        let Some(key) = self.keys.key_of(name) else { return Ok(false) };
        let failed = |failure| self.failed(Some(&key), "adopt", failure);
        let is_renamed = name != self.keys.record(&key);
        if is_renamed && !self.rename(name, &key).await.map_err(failed)? {
            return Ok(false);
        }
        Ok(self.note(&key, ADOPTED).await.map_err(failed)? || is_renamed)
    }

    /// Gives a record the name that we would have given it. `false` if it is gone or the name is
    /// taken.
    async fn rename(&self, found: &str, key: &StateKey) -> Result<bool, Failure> {
        let Some((value, millis)) = self.value_of(found).await? else { return Ok(false) };
        let mut copy = redis::cmd("SET");
        copy.arg(self.keys.record(key)).arg(&value).arg("NX").arg("GET");
        if millis >= 0 {
            copy.arg("PX").arg(millis.max(1));
        }
        let copy = self.and_wait(Request::one(copy).of_bytes(value.len()));
        let answer = self.network.ask(&copy).await?;
        let replicated = self.replicated(answer.waited.as_ref());
        match answer.last()? {
            Value::Nil => replicated?,
            // An earlier try.
            Value::BulkString(there) if there == value => {
                self.replicated_again(&self.keys.record(key), ADOPTED).await?;
            }
            _ => {
                tracing::warn!(%key, found, "not adopted: there is another record of this key");
                return Ok(false);
            }
        }
        let remove = Request::new().then_script(&REMOVE, &[found], &[&value]);
        self.value(&remove.of_bytes(value.len())).await?;
        Ok(true)
    }

    /// A value, and in how many milliseconds it expires (negative: never).
    async fn value_of(&self, name: &str) -> Result<Option<(Vec<u8>, i64)>, Failure> {
        let (mut get, mut ttl) = (redis::cmd("GET"), redis::cmd("PTTL"));
        get.arg(name);
        ttl.arg(name);
        let mut values = self.network.ask(&Request::one(get).then(ttl)).await?.values.into_iter();
        match (values.next(), values.next()) {
            // It may have expired in between.
            (Some(Value::BulkString(value)), Some(Value::Int(millis))) if millis != GONE => {
                Ok(Some((value, millis)))
            }
            _ => Ok(None),
        }
    }
}
