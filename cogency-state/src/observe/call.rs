//! The span of a `#[robust]` call.

use std::time::Duration;

use tracing::Span;
use tracing::field::Empty;

use super::{Clock, name_of};
use crate::error::Error;
use crate::key::StateKey;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ending {
    /// Its state is in the backend.
    Saved,
    /// Its state is on this machine's disk, on its way to the backend.
    Spooled,
    /// It succeeded, and has no state, or one that is switched off.
    Done,
    /// The body's last attempt failed.
    Failed,
    /// The library's: the call did not begin, its last attempt took too long, or its state was not
    /// saved.
    Refused,
    /// The body panicked.
    Panicked,
    /// Somebody dropped it.
    Cancelled,
}

impl Ending {
    fn as_str(self) -> &'static str {
        match self {
            Self::Saved => "saved",
            Self::Spooled => "spooled",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Panicked => "panicked",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A call that runs. However it ends, also by a drop, that is told once.
#[derive(Debug)]
pub(crate) struct CallSpan {
    function: &'static str,
    span: Span,
    clock: Clock,
    attempts: u32,
    /// With the name of the error, if it is one of ours.
    ending: Option<(Ending, &'static str)>,
}

impl CallSpan {
    pub(crate) fn new(function: &'static str) -> Self {
        let span = tracing::debug_span!(
            target: "cogency_state::call", "call",
            function, key = Empty, attempts = Empty, outcome = Empty, error = Empty,
        );
        Self { function, span, clock: Clock::start(), attempts: 0, ending: None }
    }

    pub(crate) fn of_key(&self, key: &StateKey) {
        if !self.span.is_disabled() {
            self.span.record("key", tracing::field::display(key));
        }
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Whether anybody looks.
    pub(crate) fn is_seen(&self) -> bool {
        cfg!(feature = "metrics") || !self.span.is_disabled()
    }

    /// The span of the attempt that begins.
    pub(crate) fn attempt(&mut self) -> Span {
        self.attempts += 1;
        tracing::debug_span!(
            target: "cogency_state::call", parent: &self.span, "attempt", attempt = self.attempts,
        )
    }

    /// Another attempt follows after a pause.
    pub(crate) fn retries(&self, pause: Duration) {
        tracing::debug!(
            target: "cogency_state::call", parent: &self.span,
            function = self.function, attempt = self.attempts, ?pause, "an attempt failed"
        );
    }

    /// Tells how it ended, unless that was told.
    pub(crate) fn ends(&mut self, ending: Ending) {
        self.ending.get_or_insert((ending, ""));
    }

    /// It ended in an error of ours.
    pub(crate) fn refused(&mut self, error: &Error) {
        if self.ending.is_none() && self.is_seen() {
            self.ending = Some((Ending::Refused, name_of(error)));
        }
    }
}

impl Drop for CallSpan {
    fn drop(&mut self) {
        if !self.is_seen() {
            return;
        }
        let dropped = if std::thread::panicking() { Ending::Panicked } else { Ending::Cancelled };
        let (ending, error) = self.ending.unwrap_or((dropped, ""));
        self.span.record("attempts", self.attempts);
        self.span.record("outcome", ending.as_str());
        if !error.is_empty() {
            self.span.record("error", error);
        }
        #[cfg(feature = "metrics")]
        super::meters::called(
            self.function,
            ending.as_str(),
            error,
            self.attempts,
            self.clock.took(),
        );
        let (attempts, outcome) = (self.attempts, ending.as_str());
        let took = self.clock.took().unwrap_or_default();
        tracing::debug!(
            target: "cogency_state::call", parent: &self.span,
            function = self.function, attempts, outcome, error, ?took, "a call ended"
        );
    }
}
