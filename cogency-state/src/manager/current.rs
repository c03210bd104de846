//! What the body of a call can learn of it, and say.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use super::held;
use super::policies::check_said;
use crate::error::Error;
use crate::key::StateKey;
use crate::record::Metadata;

/// The call that the code which asks runs in: the innermost `#[robust]` one that keeps a state.
///
/// `None` outside of one, in a task that it spawned, and where the library is
/// [switched off](crate::set_enabled).
///
/// ```
/// use cogency_state::{Error, robust};
///
/// #[robust(persist = "memory")]
/// async fn chat(state: &mut Vec<String>, user_id: &str, query: String) -> Result<(), Error> {
///     if let Some(call) = cogency_state::current() {
///         println!("last saved at {:?}", call.metadata().saved_at);
///         call.set("tokens", query.len())?; // saved with the state, if this attempt succeeds
///     }
///     state.push(query);
///     Ok(())
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// chat("alice", "hello".to_owned()).await
/// # }
/// ```
#[must_use]
pub fn current() -> Option<CurrentCall> {
    held::current().map(CurrentCall)
}

/// One attempt of a call, from inside: see [`current`].
#[derive(Clone)]
pub struct CurrentCall(Arc<Attempt>);

/// What a [`CurrentCall`] looks at.
#[derive(Debug)]
pub(crate) struct Attempt {
    key: StateKey,
    /// `None` where the state begins anew.
    metadata: Option<Metadata>,
    said: Mutex<Map<String, Value>>,
}

impl CurrentCall {
    /// The state that the call holds.
    #[must_use]
    pub fn key(&self) -> &StateKey {
        &self.0.key
    }

    /// Whether the state begins anew.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.0.metadata.is_none()
    }

    /// What was known of the state when it was loaded; the defaults where it begins anew.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        self.0.metadata.clone().unwrap_or_default()
    }

    /// Says something of the state, as a custom field of its metadata: it is saved with the state
    /// if this attempt succeeds, and stays until another save says something else. Two fields that
    /// every record has are said in the same way: `tools_count`, a number from 0, and
    /// `memory_backend`, a text.
    ///
    /// # Errors
    /// [`Error::Config`] if every record has a field of that name that others set, or one of
    /// another type.
    pub fn set(&self, name: impl Into<String>, value: impl Into<Value>) -> Result<(), Error> {
        let (name, value) = (name.into(), value.into());
        check_said(&name, &value)?;
        self.0.said.lock().unwrap_or_else(PoisonError::into_inner).insert(name, value);
        Ok(())
    }
}

impl Attempt {
    pub(crate) fn new(key: StateKey, metadata: Option<Metadata>) -> Arc<Self> {
        Arc::new(Self { key, metadata, said: Mutex::default() })
    }

    /// What the body said.
    pub(crate) fn take_said(&self) -> Map<String, Value> {
        std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Custom fields are the program's.
impl fmt::Debug for CurrentCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CurrentCall").field("key", self.key()).finish_non_exhaustive()
    }
}
