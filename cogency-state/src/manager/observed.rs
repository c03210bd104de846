//! What can be seen of a manager's work: events, and meters where the feature is on.
//!
//! Keys, versions, sizes and times; never contents. Levels: DEBUG for what is usual. What degrades
//! is told where it is decided, in `outage`, as a warning.

use tokio::time::Instant;
use tracing::debug;

use super::outage::{Health, Outcome};
use crate::aside::Aside;
use crate::backend::Write;
use crate::error::Error;
use crate::holder::Holder;
use crate::key::StateKey;
#[cfg(feature = "metrics")]
use crate::observe::meters;
use crate::observe::{Clock, name_of};
use crate::record::Record;

/// A key is held by another process.
pub(super) fn found_held(location: &str, key: &StateKey, holder: &Holder) {
    debug!(target: "cogency_state::lease", backend = location, %key, %holder, "waits for its key");
    #[cfg(feature = "metrics")]
    meters::found_held(location);
}

/// A call has its key, and what is stored under it. It asked for it at `asked`, and took it with
/// what `clock` measured.
pub(super) fn opened(
    location: &str,
    key: &StateKey,
    asked: Instant,
    clock: Clock,
    record: Option<&Record>,
) {
    let waited = clock.since(asked).unwrap_or_default();
    debug!(target: "cogency_state::lease", backend = location, %key, ?waited, "has its key");
    #[cfg(feature = "metrics")]
    meters::waited(location, Some(waited));
    loaded(location, key, clock, record);
}

/// A state was loaded, or there is none.
pub(super) fn loaded(location: &str, key: &StateKey, clock: Clock, record: Option<&Record>) {
    let version = record.map(|record| record.revision.version);
    let bytes = record.map(|record| record.state.len());
    let took = clock.took().unwrap_or_default();
    debug!(
        target: "cogency_state::state", backend = location, %key, version, bytes, ?took,
        "a state was loaded"
    );
    #[cfg(feature = "metrics")]
    meters::loaded(location, Some(took), bytes);
}

/// A save ended.
pub(super) fn saved(location: &str, write: &Write, clock: Clock, outcome: Result<Outcome, &Error>) {
    let outcome = match outcome {
        Ok(Outcome::Spooled(_)) => "spooled",
        Ok(_) => "saved",
        Err(error) => name_of(error),
    };
    let (record, took) = (&write.record, clock.took().unwrap_or_default());
    let (key, version, bytes) = (&record.key, record.revision.version, record.state.len());
    debug!(
        target: "cogency_state::state", backend = location, %key, version, bytes, outcome, ?took,
        "a save ended"
    );
    #[cfg(feature = "metrics")]
    meters::saved(location, outcome, Some(took), bytes);
}

/// What was stored was set aside.
pub(super) fn set_aside(location: &str, aside: &Aside) {
    let (key, reason) = (&aside.key, aside.reason.as_str());
    debug!(target: "cogency_state::aside", backend = location, %key, reason, "a state was set aside");
    #[cfg(feature = "metrics")]
    meters::set_aside(location, reason);
}

/// A spooled state was sent. What became of it is logged where it is decided.
#[cfg_attr(not(feature = "metrics"), expect(unused_variables))]
pub(super) fn replayed(location: &str, outcome: &'static str) {
    #[cfg(feature = "metrics")]
    meters::replayed(location, outcome);
}

/// Somebody asked how the manager and its backend are.
#[cfg_attr(not(feature = "metrics"), expect(unused_variables))]
pub(super) fn health(location: &str, health: &Health) {
    #[cfg(feature = "metrics")]
    {
        let entries = [
            ("pending", health.spooled),
            ("conflict", health.conflicts),
            ("damaged", health.damaged),
        ];
        meters::away(location, health.away_since.is_some());
        meters::spool(location, entries, health.spool_bytes, health.oldest);
    }
}

/// A manager was made.
pub(super) fn built() {
    #[cfg(feature = "metrics")]
    meters::describe();
}
