//! What an agent did in one iteration.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::record::SavedAt;

/// What an agent thought and did in one iteration of a query.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AgentAction {
    /// In which iteration.
    pub iteration: u64,
    /// When, in RFC 3339 or as Cogency for Python wrote it.
    pub timestamp: String,
    /// How deep it was thought about: `"fast"` or `"deep"`.
    pub mode: String,
    /// What was thought.
    pub thinking: Option<String>,
    /// What was planned.
    pub planning: Option<String>,
    /// What was thought of what was done before.
    pub reflection: Option<String>,
    /// How the query was approached.
    pub approach: String,
    /// The tools that were to be called, and what they gave.
    pub tool_calls: Vec<Value>,
    /// What was made of that.
    pub synthesis: String,
    /// How far it got.
    pub progress: String,
    /// What is supposed, and how to find out.
    pub hypothesis: Hypothesis,
    /// Fields that this type does not know.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// What an agent supposes.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Hypothesis {
    /// What is supposed.
    pub belief: String,
    /// How to find out.
    pub test: String,
    /// Fields that this type does not know.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// How a tool's call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ToolOutcome {
    /// It did what it was to do.
    Success,
    /// It did not.
    Failure,
    /// It could not be called.
    Error,
    /// It took too long.
    Timeout,
}

impl AgentAction {
    /// How many characters of a tool's result are kept: the first ones.
    pub const MAX_RESULT_CHARS: usize = 1000;

    /// An action of this moment.
    #[must_use]
    pub fn new(mode: impl Into<String>) -> Self {
        Self { mode: mode.into(), timestamp: SavedAt::now().to_string(), ..Self::default() }
    }

    /// Adds what a tool gave, cut at [`MAX_RESULT_CHARS`](Self::MAX_RESULT_CHARS).
    pub fn add_tool_result(
        &mut self,
        name: &str,
        args: impl Into<Value>,
        result: &str,
        outcome: ToolOutcome,
    ) {
        let result: String = result.chars().take(Self::MAX_RESULT_CHARS).collect();
        self.tool_calls.push(json!({
            "name": name,
            "args": args.into(),
            "result": result,
            "outcome": outcome,
            "insights": "",
            "learning": "",
            "relevance": "",
        }));
    }
}

/// What an agent did is private.
impl fmt::Debug for AgentAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentAction")
            .field("iteration", &self.iteration)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// What an agent supposes is private.
impl fmt::Debug for Hypothesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hypothesis").finish_non_exhaustive()
    }
}
