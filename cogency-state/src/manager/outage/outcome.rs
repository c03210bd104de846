//! What became of a call's state.

use std::fmt;
use std::sync::Arc;

use crate::error::Error;
use crate::key::StateKey;
use crate::record::Revision;

/// Where a call's state is: what [`Call::commit`](crate::Call::commit),
/// [`with_outcome`](crate::with_outcome) and
/// [`on_outcome`](crate::StateManagerBuilder::on_outcome) tell. That it is nowhere, and why, is an
/// [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// In the backend.
    Saved(Revision),
    /// On this machine's disk, on its way to the backend.
    Spooled(Revision),
    /// Nowhere: the manager is [switched off](crate::StateManager::set_enabled).
    Off(Revision),
}

impl Outcome {
    /// Of a call that is switched off.
    pub(crate) fn off() -> Self {
        Self::Off(Revision::after(None))
    }

    /// Which save made it.
    #[must_use]
    pub fn revision(&self) -> Revision {
        match self {
            Self::Saved(revision) | Self::Spooled(revision) | Self::Off(revision) => *revision,
        }
    }

    /// Whether it is not in the backend yet.
    #[must_use]
    pub fn is_spooled(&self) -> bool {
        matches!(self, Self::Spooled(_))
    }
}

type Listener = dyn Fn(&StateKey, Result<Outcome, &Error>) + Send + Sync;

/// Whom outcomes are told.
#[derive(Clone, Default)]
pub(crate) struct Listeners(Vec<Arc<Listener>>);

impl Listeners {
    pub(super) fn add(
        &mut self,
        listener: impl Fn(&StateKey, Result<Outcome, &Error>) + Send + Sync + 'static,
    ) {
        self.0.push(Arc::new(listener));
    }

    pub(crate) fn tell(&self, key: &StateKey, outcome: Result<Outcome, &Error>) {
        self.0.iter().for_each(|listener| listener(key, outcome));
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} listeners>", self.0.len())
    }
}
