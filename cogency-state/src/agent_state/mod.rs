//! The agent state of Cogency for Python, as a type to use or to begin with.

mod action;
mod callback;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use action::{AgentAction, Hypothesis, ToolOutcome};

use self::callback::Callback;

/// How many iterations a query may take, unless told.
const MAX_ITERATIONS: u64 = 3;

/// What an agent knows: its conversation, and where it is with the query of the moment.
///
/// It has the fields and defaults of Cogency for Python, whose states load as this type; fields
/// that it does not know stay with the state. A state of one's own type is as good: this one is
/// for agents that reason in iterations with tools, and for those that come from there.
///
/// What belongs to one query begins anew with the next:
///
/// ```
/// use cogency_state::{AgentState, Error, robust};
///
/// #[robust(persist = "memory")]
/// async fn ask(state: &mut AgentState, user_id: &str, query: &str) -> Result<String, Error> {
///     state.begin_query(query);
///     state.add_message("user", query);
///     while state.may_go_on() {
///         state.iteration += 1;
///         state.response = Some(format!("answer {}", state.messages.len()));
///     }
///     let answer = state.response.clone().unwrap_or_default();
///     state.add_message("assistant", &answer);
///     Ok(answer)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// assert_eq!(ask("alice", "hello").await?, "answer 1");
/// assert_eq!(ask("alice", "again").await?, "answer 3");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AgentState {
    /// The query of the moment.
    pub query: String,
    /// Whose agent this is.
    #[serde(default = "default_user")]
    pub user_id: String,
    /// The conversation. Of all queries.
    #[serde(default)]
    pub messages: Vec<AgentMessage>,
    /// How many iterations this query has taken.
    #[serde(default)]
    pub iteration: u64,
    /// How many iterations a query may take. Of all queries.
    #[serde(default = "default_max_iterations")]
    pub max_iterations: u64,
    /// How deep this query is thought about: `"fast"` or `"deep"`.
    #[serde(default = "default_react_mode")]
    pub react_mode: String,
    /// Why this query ended, if it ended without an answer.
    #[serde(default)]
    pub stop_reason: Option<String>,
    /// The tools that were chosen for this query.
    #[serde(default)]
    pub selected_tools: Vec<Value>,
    /// The tools that are to be called next.
    #[serde(default)]
    pub tool_calls: Vec<Value>,
    /// What the tools gave.
    #[serde(default)]
    pub result: Value,
    /// What was done for this query: the last [`MAX_ACTIONS`](Self::MAX_ACTIONS) of it.
    #[serde(default)]
    pub actions: Vec<AgentAction>,
    /// What was tried for this query.
    #[serde(default)]
    pub attempts: Vec<Value>,
    /// How this query is approached.
    #[serde(default = "default_approach")]
    pub current_approach: String,
    /// The answer to this query.
    #[serde(default)]
    pub response: Option<String>,
    /// Whether this query is answered without tools.
    #[serde(default)]
    pub respond_directly: bool,
    /// Whether the agent tells what it does. Of all queries.
    #[serde(default = "default_verbose")]
    pub verbose: bool,
    /// Whether the agent tells what it does in detail. Of all queries.
    #[serde(default)]
    pub trace: bool,
    #[serde(default)]
    callback: Callback,
    /// What was told of this query.
    #[serde(default)]
    pub notifications: Vec<Value>,
    /// Fields that this type does not know. Of all queries.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// One message of a conversation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AgentMessage {
    /// Who wrote it: `"user"`, `"assistant"`, `"system"`.
    pub role: String,
    /// Its text.
    pub content: String,
    /// Fields that this type does not know.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl AgentState {
    /// How many actions are kept: the last ones.
    pub const MAX_ACTIONS: usize = 5;

    /// The state of an agent that gets its first query.
    #[must_use]
    pub fn new(query: impl Into<String>, user_id: impl Into<String>) -> Self {
        Self { query: query.into(), user_id: user_id.into(), ..Self::default() }
    }

    /// Begins the next query: what belongs to the conversation stays, what belonged to the last
    /// query is as in a new state. So an agent that used up its iterations before a restart runs
    /// again after it.
    ///
    /// The user, the messages, `max_iterations`, `verbose`, `trace` and fields that this type does
    /// not know stay.
    pub fn begin_query(&mut self, query: impl Into<String>) {
        let last = std::mem::take(self);
        *self = Self {
            query: query.into(),
            user_id: last.user_id,
            messages: last.messages,
            max_iterations: last.max_iterations,
            verbose: last.verbose,
            trace: last.trace,
            rest: last.rest,
            ..Self::default()
        };
    }

    /// Whether this query needs another iteration and may have it: it has no answer, no reason to
    /// stop, and iterations left.
    #[must_use]
    pub fn may_go_on(&self) -> bool {
        self.response.is_none()
            && self.stop_reason.is_none()
            && self.iteration < self.max_iterations
    }

    /// Adds a message to the conversation.
    pub fn add_message(&mut self, role: impl Into<String>, content: impl Into<String>) {
        let (role, content) = (role.into(), content.into());
        self.messages.push(AgentMessage { role, content, rest: Map::new() });
    }

    /// Adds what was done, in this iteration. Its approach, if it has one, becomes the current one.
    pub fn add_action(&mut self, mut action: AgentAction) {
        action.iteration = self.iteration;
        if !action.approach.is_empty() {
            self.current_approach.clone_from(&action.approach);
        }
        self.actions.push(action);
        let surplus = self.actions.len().saturating_sub(Self::MAX_ACTIONS);
        self.actions.drain(..surplus);
    }
}

impl Default for AgentState {
    fn default() -> Self {
        Self {
            query: String::new(),
            user_id: default_user(),
            messages: Vec::new(),
            iteration: 0,
            max_iterations: default_max_iterations(),
            react_mode: default_react_mode(),
            stop_reason: None,
            selected_tools: Vec::new(),
            tool_calls: Vec::new(),
            result: Value::Null,
            actions: Vec::new(),
            attempts: Vec::new(),
            current_approach: default_approach(),
            response: None,
            respond_directly: false,
            verbose: default_verbose(),
            trace: false,
            callback: Callback,
            notifications: Vec::new(),
            rest: Map::new(),
        }
    }
}

fn default_user() -> String {
    "default".to_owned()
}

fn default_max_iterations() -> u64 {
    MAX_ITERATIONS
}

fn default_react_mode() -> String {
    "fast".to_owned()
}

fn default_approach() -> String {
    "initial".to_owned()
}

fn default_verbose() -> bool {
    true
}

/// Conversations are private.
impl fmt::Debug for AgentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentState")
            .field("user_id", &self.user_id)
            .field("messages", &self.messages.len())
            .field("iteration", &self.iteration)
            .field("max_iterations", &self.max_iterations)
            .finish_non_exhaustive()
    }
}

/// Conversations are private.
impl fmt::Debug for AgentMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentMessage").field("role", &self.role).finish_non_exhaustive()
    }
}
