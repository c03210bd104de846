//! What is to be written out, with no mistake left in it.

use std::time::Duration;

use syn::{Expr, Ident, Type};

use crate::choice::{Choice, OnLlmChange};
use crate::function::Function;
use crate::mentions::expression_mentions;
use crate::persist::Persist;
use crate::retry::Reused;
use crate::runtime::Runtime;
use crate::state::State;

pub(crate) struct Plan {
    pub(crate) runtime: Runtime,
    pub(crate) policy: Policy,
    /// As callers see it: without the state.
    pub(crate) function: Function,
    /// What the body gives, with `_` for an `impl Trait`.
    pub(crate) output: Type,
    /// The state and where it is kept, if the function has one.
    pub(crate) kept: Option<Kept>,
    /// The arguments of which each attempt gets a clone.
    pub(crate) reused: Vec<Reused>,
    /// Whether the body must not take `self` whole: the next attempt needs it.
    pub(crate) lends_self: bool,
}

pub(crate) struct Policy {
    pub(crate) attempts: u32,
    pub(crate) backoff: Duration,
    pub(crate) timeout: Option<Duration>,
    pub(crate) wait: Option<Duration>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) phase: Option<String>,
    /// Which errors are worth another attempt, unless all are.
    pub(crate) retry_if: Option<Expr>,
    /// The variant of `OnOutage`.
    pub(crate) on_outage: Option<Ident>,
}

impl Policy {
    pub(crate) fn repeats(&self) -> bool {
        self.attempts > 1
    }
}

pub(crate) struct Kept {
    pub(crate) state: State,
    pub(crate) persist: Persist,
    pub(crate) user: Expr,
    /// Unless it is the default one.
    pub(crate) session: Option<Expr>,
    /// Of the state's type, where it is counted.
    pub(crate) version: Option<Expr>,
    /// What gives the steps from older versions.
    pub(crate) migrate: Option<Expr>,
    pub(crate) terms: Terms,
}

/// What else is said of the state.
pub(crate) struct Terms {
    pub(crate) llm: Option<Expr>,
    pub(crate) on_llm_change: Option<OnLlmChange>,
    pub(crate) llm_match: Option<Choice>,
    pub(crate) on_unreadable: Option<Choice>,
    pub(crate) actor: Option<Expr>,
    pub(crate) metadata: Option<Expr>,
}

impl Kept {
    /// Whether the attribute's arguments use a variable.
    pub(crate) fn mentions(&self, variable: &Ident) -> bool {
        let manager = match &self.persist {
            Persist::Manager(manager) => Some(manager),
            Persist::Builtin(_) | Persist::Feature(..) => None,
        };
        let Terms { llm, actor, metadata, .. } = &self.terms;
        let said = [llm, actor, metadata].map(Option::as_ref);
        let arguments = [Some(&self.user), self.session.as_ref(), manager].into_iter().chain(said);
        arguments.flatten().any(|argument| expression_mentions(argument, variable))
    }
}
