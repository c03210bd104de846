//! How states of older types become states of today's: what a program writes down.

use std::any::type_name;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::codec::Document;
use crate::error::BoxError;

/// The version of a state that was saved before its program counted versions.
pub(crate) const FIRST: u32 = 1;

/// The steps that lead from each older version of a state type to today's.
///
/// A type is of version 1 until there is a step from 1 to 2, and so on: each step stands for one
/// change of the type that serde's defaults cannot bridge. A record that is older than its program
/// goes through the steps when it is loaded, and what they make of it is saved with the next save.
/// Until then what is stored stays as it is.
///
/// ```
/// use cogency_state::{Migrations, robust};
///
/// /// Version 2 had one text for each turn.
/// #[derive(serde::Deserialize)]
/// struct ChatV2 {
///     turns: Vec<String>,
/// }
///
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// struct Chat {
///     turns: Vec<Turn>,
/// }
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Turn {
///     text: String,
/// }
///
/// fn chat_migrations() -> Migrations {
///     Migrations::new()
///         // `lines` became `turns`.
///         .step(1, |mut old| {
///             let lines = old.get_mut("lines").ok_or("it has no lines")?.take();
///             Ok(serde_json::json!({ "turns": lines }))
///         })
///         // A turn became more than its text.
///         .step_from(2, |old: ChatV2| {
///             Ok(Chat { turns: old.turns.into_iter().map(|text| Turn { text }).collect() })
///         })
/// }
///
/// #[robust(persist = "memory", version = 3, migrate = chat_migrations)]
/// async fn chat(state: &mut Chat, user_id: &str, query: &str) -> Result<usize, cogency_state::Error> {
///     state.turns.push(Turn { text: query.to_owned() });
///     Ok(state.turns.len())
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cogency_state::Error> {
/// # assert_eq!(chat("alice", "hello").await?, 1);
/// # assert_eq!(chat_migrations().version(), 3);
/// # Ok(())
/// # }
/// ```
///
/// Steps run on every attempt and in every process that meets an old record: the same state has to
/// come out each time, and nothing else should happen in them. A large state's run on a thread that
/// may block. A step that panics is a panic of the call, as one of serde's would be.
///
/// To see what they make of all that is stored before a release goes out, there is
/// [`StateManager::check`](crate::StateManager::check).
#[derive(Clone, Default)]
pub struct Migrations {
    steps: BTreeMap<u32, Step>,
    /// Names that the type had.
    was: Vec<Cow<'static, str>>,
    /// What is wrong with them.
    mistake: Option<String>,
}

#[derive(Clone)]
struct Step {
    /// The type that it takes, where it takes one.
    old: Option<fn() -> &'static str>,
    run: Arc<dyn Fn(Document) -> Result<Document, BoxError> + Send + Sync>,
}

impl Migrations {
    /// No steps: a type of version 1.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The step from version `from` to the next one, over the state as JSON.
    ///
    /// The entries of JSON objects come in the order of their names. A state with an integer beyond
    /// 64 bits is refused, as a [`Value`] would round it: use [`step_from`](Self::step_from).
    #[must_use]
    pub fn step(
        self,
        from: u32,
        step: impl Fn(Value) -> Result<Value, BoxError> + Send + Sync + 'static,
    ) -> Self {
        let run = move |old: Document| Ok(Document::Value(step(old.into_value()?)?));
        self.with(from, Step { old: None, run: Arc::new(run) })
    }

    /// The step from version `from` to the next one, from the type that it was to the one that it
    /// became: the next step's, or the state's own.
    ///
    /// What the old type does not know is not taken along. A record that says that it is of this
    /// old type is one of this version.
    #[must_use]
    pub fn step_from<Old, New>(
        self,
        from: u32,
        step: impl Fn(Old) -> Result<New, BoxError> + Send + Sync + 'static,
    ) -> Self
    where
        Old: DeserializeOwned + 'static,
        New: Serialize + 'static,
    {
        let run = move |old: Document| Document::of(&step(old.read()?)?);
        self.with(from, Step { old: Some(type_name::<Old>), run: Arc::new(run) })
    }

    /// Another name that the state type had when records were written, as
    /// [`std::any::type_name`] gave it: `"agent::old::Chat"`. Without this the state of a type of
    /// another name is [refused](crate::Error::StateType).
    #[must_use]
    pub fn was(mut self, type_name: impl Into<Cow<'static, str>>) -> Self {
        self.was.push(type_name.into());
        self
    }

    /// The version that the steps lead to: one more than the last one's.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.steps.last_key_value().map_or(FIRST, |(from, _)| from.saturating_add(1))
    }

    fn with(mut self, from: u32, step: Step) -> Self {
        if from < FIRST || from == u32::MAX {
            self.mistake.get_or_insert(format!("no state is of version {from}: count from 1"));
        } else if self.steps.insert(from, step).is_some() {
            self.mistake.get_or_insert(format!("there are two steps from version {from}"));
        }
        self
    }

    pub(crate) fn mistake(&self) -> Option<&str> {
        self.mistake.as_deref()
    }

    /// Whether a record of this version and type name is one of the type's.
    pub(crate) fn knows(&self, version: u32, type_name: &str) -> bool {
        let old = self.steps.get(&version).and_then(|step| step.old);
        self.was.iter().any(|was| was == type_name) || old.is_some_and(|old| old() == type_name)
    }

    pub(crate) fn has(&self, from: u32) -> bool {
        self.steps.contains_key(&from)
    }

    /// Runs the step from a version; `None` if there is none.
    pub(crate) fn run(&self, from: u32, old: Document) -> Option<Result<Document, BoxError>> {
        self.steps.get(&from).map(|step| (step.run)(old))
    }
}

impl fmt::Debug for Migrations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrations")
            .field("steps", &self.steps.keys())
            .field("was", &self.was)
            .finish_non_exhaustive()
    }
}
