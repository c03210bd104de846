//! What happens when the LLM of a call is not the one that wrote the state.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::versions::without_contents;
use super::{LlmName, is_known};
use crate::codec::{AnyState, Codec, NotEncoded, Problem};
use crate::error::{BoxError, Error};
use crate::key::StateKey;
use crate::record::{Checksum, Metadata, Record};

/// What happens when the LLM of a call is not the one that wrote the state.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum OnLlmChange {
    /// The body begins anew. When it has succeeded, the other LLM's state is set aside and the new
    /// one takes its key; a body that fails changes nothing. What was set aside is listed by
    /// [`StateManager::quarantined`](crate::StateManager::quarantined), and comes back by itself
    /// when its LLM does: then this one goes aside.
    #[default]
    Reset,
    /// The body goes on with the state, and the save says that it is this LLM's.
    Keep,
    /// The call fails with [`Error::OtherLlm`] before the body runs.
    Refuse,
    /// The body goes on with what a [migration](Self::migrate) makes of the state.
    Migrate(LlmMigration),
}

impl OnLlmChange {
    /// A function that makes a state of one LLM's one of another's, such as one that takes out
    /// what the other does not understand. `T` is the state's type, or `serde_json::Value`.
    ///
    /// What it makes is saved with the next save, and not before. An error of it is the call's
    /// [`Error::LlmMigration`], and nothing is lost.
    ///
    /// ```
    /// use cogency_state::{LlmChange, MemoryBackend, OnLlmChange, StateManager};
    ///
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Chat { turns: Vec<String>, cache_id: Option<String> }
    ///
    /// fn migrate(chat: &mut Chat, change: &LlmChange) -> Result<(), std::convert::Infallible> {
    ///     if change.from.provider != change.to.provider {
    ///         chat.cache_id = None;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let manager = StateManager::builder(MemoryBackend::new())
    ///     .llm("anthropic/claude-sonnet-4-5")
    ///     .on_llm_change(OnLlmChange::migrate(migrate))
    ///     .build();
    /// ```
    pub fn migrate<T, E>(
        migrate: impl Fn(&mut T, &LlmChange) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: Into<BoxError>,
    {
        Self::Migrate(LlmMigration(Arc::new(move |json, change| {
            let mut state = (Codec::<T>::new().read)(json).map_err(|unfit| said(unfit.0))?;
            migrate(&mut state, change).map_err(Into::into)?;
            let guess = json.len() + 512;
            // It is read again before anything of it is stored.
            match state.encode(usize::MAX, guess, None) {
                Ok(encoded) => Ok(encoded.json),
                Err(NotEncoded::Refused(problem)) => Err(said(problem)),
                Err(NotEncoded::OverLimit) => Err("it takes more memory than there is".into()),
            }
        })))
    }
}

fn said(Problem { path, reason }: Problem) -> BoxError {
    format!("at `{path}`: {reason}").into()
}

type Migrate = dyn Fn(&[u8], &LlmChange) -> Result<Bytes, BoxError> + Send + Sync;

/// A function of the program's: see [`OnLlmChange::migrate`].
#[derive(Clone)]
pub struct LlmMigration(Arc<Migrate>);

impl fmt::Debug for LlmMigration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmMigration").finish_non_exhaustive()
    }
}

impl LlmMigration {
    /// The record with the state that this function makes of it.
    pub(crate) fn run(
        &self,
        mut record: Box<Record>,
        change: &LlmChange,
        location: &str,
    ) -> Result<Box<Record>, Error> {
        let migrated = (self.0)(&record.state, change).map_err(|source| {
            let (key, backend) = (record.key.clone(), location.to_owned());
            let (stored, given) = (change.from.to_string(), change.to.to_string());
            let source = without_contents(source);
            Error::LlmMigration { key, backend, stored, given, source }
        })?;
        record.checksum = Some(Checksum::of(&migrated));
        record.state = migrated;
        Ok(record)
    }
}

/// One LLM's state, and another LLM's call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LlmChange {
    /// Who wrote the state.
    pub from: LlmName,
    /// Who is to go on with it.
    pub to: LlmName,
}

impl LlmChange {
    pub(crate) fn refused(&self, key: &StateKey, backend: &str) -> Error {
        let (key, backend) = (key.clone(), backend.to_owned());
        let (stored, given) = (self.from.to_string(), self.to.to_string());
        Error::OtherLlm { key, backend, stored, given }
    }
}

/// When two LLMs count as one and the same.
///
/// A call whose LLM has an empty provider is not compared at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LlmMatch {
    /// If their providers are the same, or one of the two is `"unknown"`.
    Provider,
    /// If their providers and models are the same; what is `"unknown"` is the same as anything.
    #[default]
    Model,
    /// As Cogency for Python: `"unknown"` is a name like any other, and a model is compared unless
    /// the call's is empty.
    Exact,
}

impl LlmMatch {
    /// Whether a state that one LLM wrote is the other's too.
    pub(crate) fn is_same(self, stored: &LlmName, given: &LlmName) -> bool {
        let same = |stored: &str, given: &str| match self {
            Self::Exact => given.is_empty() || stored == given,
            Self::Provider | Self::Model => {
                !is_known(stored) || !is_known(given) || stored == given
            }
        };
        given.provider.is_empty()
            || same(&stored.provider, &given.provider)
                && (self == Self::Provider || same(&stored.model, &given.model))
    }

    /// What changes, if the LLM of a call is not the one that wrote a state.
    pub(crate) fn change(self, stored: &Metadata, given: &LlmName) -> Option<LlmChange> {
        let stored = LlmName::in_metadata(stored);
        (!self.is_same(&stored, given)).then(|| LlmChange { from: stored, to: given.clone() })
    }
}
