//! Records that were set aside: renamed, beside the key that they were under.
//!
//! ```text
//! cogency:aside:{cogency:state:alice:default}        what is known of each, by its id
//! cogency:aside:{cogency:state:alice:default}:<id>   the value, as it was; whole, where the state was
//!                                                    in its history
//! cogency:aside:{cogency:state:alice:default}:<id>:history, …:contents
//!                                                    a history that cannot be gone on with, or
//!                                                    cannot give the state
//! cogency:asides:alice                               the user's sessions that had one
//! cogency:asides                                     the users who had one
//! ```
//!
//! What stands in braces is in the record's slot of a cluster, so that setting aside is one step. The
//! other two are written before it, and stay: a name there says that something may be found.

use redis::Value;

use super::problem::{Failure, Problem};
use super::records::{Records, Said};
use super::request::{Request, command};
use super::scripts::DROP_ASIDE;
use crate::aside::{Aside, AsideId};
use crate::error::{BoxError, Error};
use crate::key::{StateKey, valid_id};
use crate::record::Record;

const LIST: &str = "list what was set aside";
const LOAD: &str = "load what was set aside of";
const DROP: &str = "delete what was set aside of";

impl Records {
    pub(super) async fn drop_aside(&self, key: &StateKey, id: AsideId) -> Result<bool, Error> {
        let keys = self.keys.aside_of(key, id);
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
        let known = self.parts(b"HVALS", &self.keys.aside(key)).await?;
        let asides = known.iter().filter_map(|about| Aside::from_json(about));
        Ok(asides.filter(|aside| aside.key == *key).collect())
    }

    /// Listings leave out what does not say whose it is: this does not.
    pub(super) async fn check_asides(&self, key: &StateKey) -> Result<(), Error> {
        let known = self.parts(b"HVALS", &self.keys.aside(key)).await?;
        let is_told =
            |about: &Vec<u8>| Aside::from_json(about).is_some_and(|aside| aside.key == *key);
        if known.iter().all(is_told) {
            return Ok(());
        }
        let reason = "something is set aside of it, and what says what it was is damaged";
        Err(Error::corrupt(key, self.location(), reason))
    }

    async fn names_in(&self, hash: &str) -> Result<Vec<String>, Error> {
        let names = self.parts(b"HKEYS", hash).await?;
        Ok(names.into_iter().filter_map(|name| String::from_utf8(name).ok()).collect())
    }

    async fn parts(&self, of: &[u8], hash: &str) -> Result<Vec<Vec<u8>>, Error> {
        let failed = |failure| self.failed(None, LIST, failure);
        let answer = self.value(&Request::one(command(&[of, hash.as_bytes()]))).await;
        redis::from_redis_value(answer.map_err(failed)?)
            .map_err(|_| failed(Problem::Strange("not the parts of a hash").into()))
    }

    /// Notes that something may be set aside under a key.
    pub(super) async fn note_aside(&self, key: &StateKey) -> Result<(), Failure> {
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
    pub(super) fn moved(
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

    pub(super) fn in_doubt_unless(
        &self,
        key: &StateKey,
        done: Result<(), Problem>,
    ) -> Result<(), Error> {
        done.map_err(|problem| self.doubt(key, problem))
    }

    pub(super) fn doubt(&self, key: &StateKey, source: impl Into<BoxError>) -> Error {
        Error::outcome_unknown(key, self.location(), None, source)
    }
}
