//! The sessions of each user, so that listing them does not look through all keys.
//!
//! A user's index is a hash: for each session that has a record, a note of when it got one and by
//! which write. What counts is the record: a note without one is not shown, for its record may
//! have expired or have been removed by another program. A record without a note would never be
//! shown, so this is what must not happen.
//!
//! In a cluster an index and its records are in different slots, and no step can change both. On
//! one server the script that makes a record also notes it; everything else is done alike:
//!
//! - **Create:** note, then make the record. Whoever stops in between leaves a note without a
//!   record. Every note is a new one (time and write id), also over an older one.
//! - **Delete:** see the note, remove the record, remove the note if it is still the one that was
//!   seen. Who makes the record anew has noted it anew, after the record was gone, so that note
//!   stays. Whoever stops in between leaves a note without a record.
//! - **List:** see the notes, then see which records are there. A note without a record is removed
//!   if it is still the one that was seen and, in a cluster, is [old](OLD): a younger one may be of a
//!   creator between its two steps. The creator of an old one has no lease any more, which is
//!   remembered for half as long, so its record will not be made; and whoever notes anew from now
//!   on leaves another note than was seen.
//! - **Adopt:** the record is there; note it. If it is removed meanwhile a note without a record
//!   is left.
//!
//! A note that comes late, from a request whose connection was lost, replaces another note of the
//! same session by one that nobody has seen. So it removes nothing, and is not removed too soon.

use std::time::Duration;

use redis::Value;

use super::claim::REMEMBERED;
use super::problem::{Failure, Problem};
use super::records::Records;
use super::request::Request;
use super::scripts::{FORGET, NOTE};
use crate::error::Error;
use crate::key::{StateKey, valid_id};

/// How many keys are looked at in one go.
const AT_ONCE: usize = 1000;

/// The age at which a note without a record is nobody's in a cluster.
const OLD: Duration = REMEMBERED.saturating_mul(2);
/// Of a note whose record was seen to be removed.
pub(super) const NO_AGE: Duration = Duration::ZERO;

const LIST: &str = "list the keys of a user";

/// A note as it is stored.
pub(super) type Note = Vec<u8>;

impl Records {
    /// Notes that a record is there or will be. Whether there was no note.
    pub(super) async fn note(&self, key: &StateKey, by: &str) -> Result<bool, Failure> {
        let index = self.keys.index(key.user_id());
        let arguments = [key.session_id().as_bytes(), by.as_bytes()];
        let request = Request::new().then_script(&NOTE, &[&index], &arguments);
        let answer = self.network.ask(&self.and_wait(request)).await?;
        self.replicated(answer.waited.as_ref())?;
        Ok(answer.last()? == Value::Int(1))
    }

    /// The note of a record.
    pub(super) async fn note_of(&self, key: &StateKey) -> Result<Option<Note>, Failure> {
        let mut command = redis::cmd("HGET");
        command.arg(self.keys.index(key.user_id())).arg(key.session_id());
        match self.value(&Request::one(command)).await? {
            Value::BulkString(note) => Ok(Some(note)),
            _ => Ok(None),
        }
    }

    /// Removes some notes of one user's that have no record. What is left does no harm.
    pub(super) async fn forget(&self, notes: &[(&StateKey, &Note)], least_age: Duration) {
        let mut request = Request::new();
        for (key, note) in notes {
            let (index, age) = (self.keys.index(key.user_id()), least_age.as_secs().to_string());
            let arguments = [key.session_id().as_bytes(), note, age.as_bytes()];
            request = request.then_script(&FORGET, &[&index], &arguments);
        }
        if request.commands == 0 {
            return;
        }
        if let Err(Failure { problem, .. }) = self.network.ask(&request).await {
            tracing::debug!(error = %problem, "notes without a record stay in the index");
        }
    }

    pub(super) async fn list(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        valid_id("user_id", user_id)?;
        let mut notes = self.notes(user_id).await?;
        notes.sort_unstable();
        let mut listed = Vec::with_capacity(notes.len());
        for some in notes.chunks(AT_ONCE) {
            let exists = self.exist(some.iter().map(|(key, _)| key)).await?;
            let (found, gone): (Vec<_>, Vec<_>) =
                some.iter().zip(exists).partition(|(_, exists)| *exists);
            listed.extend(found.into_iter().map(|((key, _), _)| key.clone()));
            let gone: Vec<_> = gone.into_iter().map(|((key, note), _)| (key, note)).collect();
            self.forget(&gone, self.least_age()).await;
        }
        Ok(listed)
    }

    /// How old a note without a record has to be to be nobody's. On one server no creator stands
    /// between two steps.
    fn least_age(&self) -> Duration {
        if self.network.is_one_slot() { NO_AGE } else { OLD }
    }

    /// What the index shows.
    async fn notes(&self, user_id: &str) -> Result<Vec<(StateKey, Note)>, Error> {
        let mut command = redis::cmd("HGETALL");
        command.arg(self.keys.index(user_id));
        let failed = |failure| self.failed(None, LIST, failure);
        let answer = self.value(&Request::one(command)).await.map_err(failed)?;
        let notes: Vec<(Vec<u8>, Note)> = redis::from_redis_value(answer)
            .map_err(|_| failed(Problem::Strange("not the fields of an index").into()))?;
        // What is no id is not ours.
        let key = |session| StateKey::new(user_id, String::from_utf8(session).ok()?).ok();
        Ok(notes.into_iter().filter_map(|(session, note)| Some((key(session)?, note))).collect())
    }

    /// Which of some keys have a record.
    async fn exist(&self, keys: impl Iterator<Item = &StateKey>) -> Result<Vec<bool>, Error> {
        let exists = |key| {
            let mut command = redis::cmd("EXISTS");
            command.arg(self.keys.record(key));
            Request::one(command)
        };
        let answers = self.network.ask_each(keys.map(exists).collect()).await;
        let answers = answers.map_err(|failure| self.failed(None, LIST, failure))?;
        Ok(answers.into_iter().map(|value| value == Value::Int(1)).collect())
    }
}
