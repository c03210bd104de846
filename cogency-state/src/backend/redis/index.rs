//! The sessions of each user, so that listing them does not look through all keys.
//!
//! An entry is written with the record's first save, before the record, and removed with the
//! record. What counts is the record: an entry without one is not shown.

use redis::Value;

use super::problem::{Failure, Problem};
use super::records::Records;
use super::request::Request;
use super::scripts::{ADOPT, PRUNE};
use crate::error::Error;
use crate::key::{StateKey, valid_id};

/// How many keys are looked at in one go.
const AT_ONCE: usize = 1000;

const LIST: &str = "list the keys of a user";

impl Records {
    pub(super) async fn list(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        valid_id("user_id", user_id)?;
        let mut keys = self.indexed(user_id).await?;
        keys.sort_unstable();
        let mut listed = Vec::with_capacity(keys.len());
        for some in keys.chunks(AT_ONCE) {
            let exists = self.exist(some).await?;
            let (found, gone): (Vec<_>, Vec<_>) =
                some.iter().zip(exists).partition(|(_, exists)| *exists);
            listed.extend(found.into_iter().map(|(key, _)| key.clone()));
            self.prune(gone.into_iter().map(|(key, _)| key)).await;
        }
        Ok(listed)
    }

    /// What the index shows.
    async fn indexed(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        let mut command = redis::cmd("HKEYS");
        command.arg(self.keys.index(user_id));
        let failed = |failure| self.failed(None, LIST, failure);
        let answer = self.value(&Request::one(command)).await.map_err(failed)?;
        let sessions: Vec<Vec<u8>> = redis::from_redis_value(answer)
            .map_err(|_| failed(Problem::Strange("not the fields of an index").into()))?;
        // What is no id is not ours.
        let sessions = sessions.into_iter().filter_map(|session| String::from_utf8(session).ok());
        Ok(sessions.filter_map(|session| StateKey::new(user_id, session).ok()).collect())
    }

    /// Which of some keys have a record.
    async fn exist(&self, keys: &[StateKey]) -> Result<Vec<bool>, Error> {
        let mut request = Request::new();
        for key in keys {
            let mut command = redis::cmd("EXISTS");
            command.arg(self.keys.record(key));
            request = request.then(command);
        }
        let answer = self.link.ask(&request).await;
        let answer = answer.map_err(|failure| self.failed(None, LIST, failure))?;
        Ok(answer.values.into_iter().map(|value| value == Value::Int(1)).collect())
    }

    /// Removes entries whose records another program deleted.
    async fn prune(&self, keys: impl Iterator<Item = &StateKey>) {
        let mut request = Request::new();
        for key in keys {
            let names = self.keys.of(key);
            let session = [key.session_id().as_bytes()];
            request = request.then_script(&PRUNE, &[&names.record, &names.index], &session);
        }
        if request.commands == 0 {
            return;
        }
        if let Err(Failure { problem, .. }) = self.link.ask(&request).await {
            tracing::debug!(error = %problem, "entries without a record stay in the index");
        }
    }

    /// Takes records into the index that another program wrote. Gives how many there were.
    pub(super) async fn adopt(&self) -> Result<usize, Error> {
        let mut adopted = 0;
        let mut cursor = 0;
        loop {
            let names;
            (cursor, names) = self.scan(cursor).await?;
            for name in names {
                adopted += usize::from(self.adopt_one(&name).await?);
            }
            if cursor == 0 {
                return Ok(adopted);
            }
        }
    }

    /// Some names of records, and where to go on.
    async fn scan(&self, cursor: u64) -> Result<(u64, Vec<String>), Error> {
        let mut command = redis::cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(self.keys.any_record());
        command.arg("COUNT").arg(AT_ONCE).arg("TYPE").arg("string");
        let failed = |failure| self.failed(None, "look for records", failure);
        let answer = self.value(&Request::one(command)).await.map_err(failed)?;
        let (cursor, names): (u64, Vec<Vec<u8>>) = redis::from_redis_value(answer)
            .map_err(|_| failed(Problem::Strange("not a part of the keys").into()))?;
        // A name that is no text is not one of ours.
        Ok((cursor, names.into_iter().filter_map(|name| String::from_utf8(name).ok()).collect()))
    }

    async fn adopt_one(&self, name: &str) -> Result<bool, Error> {
        let Some(key) = self.keys.key_of(name) else { return Ok(false) };
        let names = self.keys.of(&key);
        let request = Request::new().then_script(
            &ADOPT,
            &[name, &names.record, &names.index],
            &[key.session_id().as_bytes()],
        );
        let answer = self.word(&request).await;
        let word = answer.map_err(|failure| self.failed(Some(&key), "adopt", failure))?.word;
        if word == "taken" {
            tracing::warn!(%key, found = name, "not adopted: there is another record of this key");
        }
        Ok(word == "done")
    }
}
