//! What is to be written out, with no mistake left in it.

use std::time::Duration;

use syn::{Expr, Ident, Type};

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
}

impl Kept {
    /// Whether the attribute's arguments use a variable.
    pub(crate) fn mentions(&self, variable: &Ident) -> bool {
        let manager = match &self.persist {
            Persist::Manager(manager) => Some(manager),
            Persist::Builtin(_) | Persist::Feature(..) => None,
        };
        let mut arguments =
            [Some(&self.user), self.session.as_ref(), manager].into_iter().flatten();
        arguments.any(|argument| expression_mentions(argument, variable))
    }
}
