//! Measures only where somebody looks: to ask for the time costs more than to ask for that.

use std::time::Duration;

use tokio::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Option<Instant>);

impl Clock {
    pub(crate) fn start() -> Self {
        let is_wanted = cfg!(feature = "metrics")
            || tracing::enabled!(target: "cogency_state::state", tracing::Level::DEBUG);
        Self(is_wanted.then(Instant::now))
    }

    /// `None` where nobody looked when it was started.
    pub(crate) fn took(self) -> Option<Duration> {
        self.0.map(|began| began.elapsed())
    }

    /// How long after another moment it was started.
    pub(crate) fn since(self, earlier: Instant) -> Option<Duration> {
        self.0.map(|began| began.saturating_duration_since(earlier))
    }
}
