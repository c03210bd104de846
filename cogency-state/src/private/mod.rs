//! All that generated code may name. Not part of the public interface: anything here may change
//! in any release.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

pub use serde_json::json;

pub use crate::{DEFAULT_SESSION, Error, LlmMatch, OnLlmChange, OnOutage, OnUnreadable};
use crate::{Migrations, StateKey, StateManager};

mod backends;
mod call;
mod limit;
mod run;
mod terms;
mod types;

pub use backends::{database, mysql, postgres, redis, sqlite};
pub use run::{Drive, Retry, Run};
pub use terms::migrate;
pub use types::{Codec, Fallible, Returns, Reuse};

/// How a call is made: what the attribute's arguments said.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The function's name, for messages.
    pub function: &'static str,
    /// All attempts, at least 1.
    pub attempts: u32,
    /// The pause after the first failed attempt; it doubles after each.
    pub backoff: Duration,
    /// The longest that an attempt may take.
    pub timeout: Option<Duration>,
    /// The longest wait for the lease; `None`: what the manager says.
    pub wait: Option<Duration>,
    /// How long after its save a state expires; `None`: what the manager says.
    pub ttl: Option<Duration>,
    /// The version of the state's type; `None`: what the manager says.
    pub version: Option<u32>,
    /// How older states become those of that version.
    pub migrate: Option<fn() -> Migrations>,
    /// The longest that the call may take with all its attempts.
    pub deadline: Option<Duration>,
    /// What its save completes.
    pub phase: Option<&'static str>,
    /// What happens when the backend is out of reach; `None`: what the manager says.
    pub on_outage: Option<OnOutage>,
}

/// Where a call's state is kept.
#[derive(Clone, Debug)]
pub enum Persist {
    /// `persist = "name or URL"`
    Url(&'static str),
    /// `persist = manager`
    Manager(StateManager),
}

impl Persist {
    /// `persist = "name or URL"`
    #[must_use]
    pub const fn url(url: &'static str) -> Self {
        Self::Url(url)
    }

    /// `persist = manager`
    pub fn manager(manager: &(impl AsManager + ?Sized)) -> Self {
        Self::Manager(manager.as_manager().clone())
    }

    fn resolve(self) -> Result<StateManager, Error> {
        match self {
            Self::Url(url) => StateManager::shared(url),
            Self::Manager(manager) => Ok(manager),
        }
    }
}

/// A manager, or what leads to one.
#[diagnostic::on_unimplemented(
    message = "`persist` takes a backend's name or URL in quotes, or a `StateManager`, not `{Self}`",
    label = "not a `StateManager`, nor a reference or an `Arc` to one"
)]
pub trait AsManager {
    /// The manager.
    fn as_manager(&self) -> &StateManager;
}

impl AsManager for StateManager {
    fn as_manager(&self) -> &StateManager {
        self
    }
}

impl<M: AsManager + ?Sized> AsManager for &M {
    fn as_manager(&self) -> &StateManager {
        (**self).as_manager()
    }
}

impl<M: AsManager + ?Sized> AsManager for &mut M {
    fn as_manager(&self) -> &StateManager {
        (**self).as_manager()
    }
}

impl<M: AsManager + ?Sized> AsManager for Arc<M> {
    fn as_manager(&self) -> &StateManager {
        (**self).as_manager()
    }
}

impl<M: AsManager + ?Sized> AsManager for Box<M> {
    fn as_manager(&self) -> &StateManager {
        (**self).as_manager()
    }
}

/// The two halves of a key, from any expressions that can be shown as text.
pub fn key<U: Display + ?Sized, S: Display + ?Sized>(
    user_id: &U,
    session_id: &S,
) -> Result<StateKey, Error> {
    StateKey::of(user_id, session_id)
}
