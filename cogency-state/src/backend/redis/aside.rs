//! Records that were set aside: renamed, beside the key that they were under.
//!
//! ```text
//! cogency:aside:{cogency:state:alice:default}        what is known of each, by its id
//! cogency:aside:{cogency:state:alice:default}:<id>   the value, as it was
//! cogency:asides:alice                               the user's sessions that had one
//! cogency:asides                                     the users who had one
//! ```
//!
//! The first two are in the record's slot of a cluster, so that setting aside is one step. The
//! other two are written before it, and stay: a name there says that something may be found.

use redis::Value;
use uuid::Uuid;

use super::problem::{Failure, Problem};
use super::records::{Records, Said};
use super::request::{Request, command};
use super::scripts::{DROP_ASIDE, RESTORE_ASIDE, SET_ASIDE};
use crate::aside::{Aside, AsideId};
use crate::backend::Lease;
use crate::error::{BoxError, Error};
use crate::key::{StateKey, valid_id};
use crate::record::{Record, version_of};

const SET: &str = "set aside the record of";
const LIST: &str = "list what was set aside";
const LOAD: &str = "load what was set aside of";
const RESTORE: &str = "restore what was set aside of";
const DROP: &str = "delete what was set aside of";

impl Records {
    pub(super) async fn set_aside(&self, lease: &Lease, aside: &Aside) -> Result<bool, Error> {
        let (key, attempt) = (lease.key(), self.attempt(lease)?);
        let failed = |failure| self.failed(Some(key), SET, failure);
        self.note_aside(key).await.map_err(failed)?;
        let (known, place) = (self.keys.aside(key), self.keys.aside_record(key, aside.id));
        let (id, about) = (aside.id.to_string(), aside.to_json()?);
        let request = Request::new().then_script(
            &SET_ASIDE,
            &[attempt.record(), attempt.lease_name(), &known, &place],
            &[attempt.id().as_bytes(), id.as_bytes(), about.as_bytes()],
        );
        self.known.remove(key);
        let said = self.moved(key, SET, self.word(&self.and_wait(request)).await)?;
        match &*said.word {
            "none" => Ok(false),
            "done" => self.in_doubt_unless(key, said.replicated).map(|()| true),
            "again" => {
                let replicated = self.replicated_again(attempt.record(), &id).await;
                self.in_doubt_unless(key, replicated).map(|()| true)
            }
            _ => Err(self.lost(lease)),
        }
    }

    pub(super) async fn restore_aside(&self, lease: &Lease, id: AsideId) -> Result<bool, Error> {
        let (key, attempt) = (lease.key(), self.attempt(lease)?);
        let failed = |failure| self.failed(Some(key), RESTORE, failure);
        let (by, is_one_slot) = (Uuid::new_v4().to_string(), self.network.is_one_slot());
        if !is_one_slot {
            self.note(key, &by).await.map_err(failed)?;
        }
        let (known, place) = (self.keys.aside(key), self.keys.aside_record(key, id));
        let index = is_one_slot.then(|| self.keys.index(key.user_id()));
        let mut keys = vec![attempt.record(), attempt.lease_name(), &known, &place];
        keys.extend(index.as_deref());
        let id = id.to_string();
        let session = key.session_id();
        let arguments = [attempt.id(), &id, session, &by].map(str::as_bytes);
        let request = Request::new().then_script(&RESTORE_ASIDE, &keys, &arguments);
        self.known.remove(key);
        attempt.saves(false);
        let said = self.moved(key, RESTORE, self.word(&self.and_wait(request)).await)?;
        match &*said.word {
            // An earlier try may have done it.
            "none" | "lost" | "taken" if said.is_doubtful => {
                Err(self.doubt(key, "its answer was lost"))
            }
            "none" => Ok(false),
            "done" => self.in_doubt_unless(key, said.replicated).map(|()| true),
            "taken" => {
                let found = self.load(key).await?.map(|record| record.revision);
                Err(Error::conflict(key, self.location(), 0, version_of(found)))
            }
            _ => Err(self.lost(lease)),
        }
    }

    pub(super) async fn drop_aside(&self, key: &StateKey, id: AsideId) -> Result<bool, Error> {
        let keys = [self.keys.aside(key), self.keys.aside_record(key, id)];
        let keys = keys.each_ref().map(String::as_str);
        let id = id.to_string();
        let request = Request::new().then_script(&DROP_ASIDE, &keys, &[id.as_bytes()]);
        let said = self.moved(key, DROP, self.word(&self.and_wait(request)).await)?;
        self.in_doubt_unless(key, said.replicated)?;
        Ok(said.word == "done" || said.is_doubtful)
    }

    pub(super) async fn load_aside(
        &self,
        key: &StateKey,
        id: AsideId,
    ) -> Result<Option<Record>, Error> {
        let document = self.whole_value(key, &self.keys.aside_record(key, id), LOAD).await?;
        document.map(|document| Record::from_json(key, self.location(), &document)).transpose()
    }

    pub(super) async fn list_aside(&self, user_id: Option<&str>) -> Result<Vec<Aside>, Error> {
        let users = match user_id {
            Some(user_id) => vec![valid_id("user_id", user_id)?.to_owned()],
            None => self.names_in(&self.keys.aside_users()).await?,
        };
        let mut asides = Vec::new();
        for user_id in users {
            for session_id in self.names_in(&self.keys.aside_sessions(&user_id)).await? {
                // What is no id is not ours.
                let Ok(key) = StateKey::new(&user_id, session_id) else { continue };
                asides.extend(self.asides_of(&key).await?);
            }
        }
        asides.sort_by_cached_key(|aside| (aside.at.to_string(), aside.id));
        Ok(asides)
    }

    async fn asides_of(&self, key: &StateKey) -> Result<Vec<Aside>, Error> {
        let known = self.values(b"HVALS", &self.keys.aside(key)).await?;
        let asides = known.iter().filter_map(|about| Aside::from_json(about));
        Ok(asides.filter(|aside| aside.key == *key).collect())
    }

    async fn names_in(&self, hash: &str) -> Result<Vec<String>, Error> {
        let names = self.values(b"HKEYS", hash).await?;
        Ok(names.into_iter().filter_map(|name| String::from_utf8(name).ok()).collect())
    }

    async fn values(&self, of: &[u8], hash: &str) -> Result<Vec<Vec<u8>>, Error> {
        let failed = |failure| self.failed(None, LIST, failure);
        let answer = self.value(&Request::one(command(&[of, hash.as_bytes()]))).await;
        redis::from_redis_value(answer.map_err(failed)?)
            .map_err(|_| failed(Problem::Strange("not the parts of a hash").into()))
    }

    /// Notes that something may be set aside under a key.
    async fn note_aside(&self, key: &StateKey) -> Result<(), Failure> {
        let sessions = self.keys.aside_sessions(key.user_id());
        for (hash, field) in
            [(self.keys.aside_users(), key.user_id()), (sessions, key.session_id())]
        {
            let note = command(&[b"HSET", hash.as_bytes(), field.as_bytes(), b"1"]);
            let answer = self.network.ask(&self.and_wait(Request::one(note))).await?;
            self.replicated(answer.waited.as_ref())?;
            let _: Value = answer.last()?;
        }
        Ok(())
    }

    /// What a script said that moves a record.
    fn moved(
        &self,
        key: &StateKey,
        operation: &'static str,
        said: Result<Said, Failure>,
    ) -> Result<Said, Error> {
        said.map_err(|failure| match failure.problem {
            Problem::NoRuntime => Error::NoRuntime,
            problem if failure.is_doubtful => self.doubt(key, problem),
            problem => self.failed(Some(key), operation, problem.into()),
        })
    }

    fn in_doubt_unless(&self, key: &StateKey, done: Result<(), Problem>) -> Result<(), Error> {
        done.map_err(|problem| self.doubt(key, problem))
    }

    fn doubt(&self, key: &StateKey, source: impl Into<BoxError>) -> Error {
        Error::outcome_unknown(key, self.location(), None, source)
    }
}
