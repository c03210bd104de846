//! Which states are meant.

use super::field::Field;
use super::value::Value;

/// Which states are meant: true or false of each, nothing in between.
///
/// ```
/// use cogency_state::query::{Filter, provider, state};
///
/// let failed: Filter = provider().eq("openai").and(state("$.stop_reason").eq("error"));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Filter(pub(crate) Node);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Compare(Field, Comparison, Value),
    In(Field, Vec<Value>),
    Contains(Field, Value),
    Exists(Field),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Filter {
    /// Every state.
    pub const fn all() -> Self {
        Self(Node::All(Vec::new()))
    }

    /// Both.
    pub fn and(self, other: Self) -> Self {
        Self(match self.0 {
            Node::All(mut nodes) => {
                nodes.push(other.0);
                Node::All(nodes)
            }
            node => Node::All(vec![node, other.0]),
        })
    }

    /// One or both.
    pub fn or(self, other: Self) -> Self {
        Self(match self.0 {
            Node::Any(mut nodes) => {
                nodes.push(other.0);
                Node::Any(nodes)
            }
            node => Node::Any(vec![node, other.0]),
        })
    }

    /// All others.
    #[expect(clippy::should_implement_trait, reason = "it is, below")]
    pub fn not(self) -> Self {
        Self(Node::Not(Box::new(self.0)))
    }
}

impl std::ops::Not for Filter {
    type Output = Self;

    fn not(self) -> Self {
        Self::not(self)
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::all()
    }
}
