//! The keys of all users, a page at a time.

use crate::error::Error;
use crate::key::StateKey;

/// Some of the keys that [`StateBackend::list_all`](crate::StateBackend::list_all) gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyPage {
    /// The keys. A page may be empty although it is not the last one.
    pub keys: Vec<StateKey>,
    /// Where the next page begins, in the backend's own words; `None` if this is the last one.
    pub next: Option<String>,
}

impl KeyPage {
    /// A page, and where the next one begins.
    #[must_use]
    pub fn new(keys: Vec<StateKey>, next: Option<String>) -> Self {
        Self { keys, next }
    }

    /// Of keys in order, one more of them than the page may have: the next page begins after the
    /// last that is in this one.
    pub(super) fn in_order(mut keys: Vec<StateKey>, limit: usize) -> Self {
        let has_more = keys.len() > limit;
        keys.truncate(limit);
        let next = keys.last().filter(|_| has_more).map(after);
        Self { keys, next }
    }
}

/// No id has a NUL in it.
const BETWEEN: char = '\0';

fn after(key: &StateKey) -> String {
    format!("{}{BETWEEN}{}", key.user_id(), key.session_id())
}

/// The key that a page in order begins after.
pub(super) fn key_before(after: Option<&str>, location: &str) -> Result<Option<StateKey>, Error> {
    let Some(after) = after else { return Ok(None) };
    let key = after.split_once(BETWEEN);
    let key = key.and_then(|(user, session)| StateKey::new(user, session).ok());
    key.map(Some).ok_or_else(|| not_given(location))
}

pub(super) fn not_given(location: &str) -> Error {
    let reason = format!("{location} gave no page that ends there: pass what `next` was");
    Error::Config { reason }
}

pub(super) fn cannot(location: &str) -> Error {
    Error::Config { reason: format!("{location} cannot list the keys of all users") }
}
