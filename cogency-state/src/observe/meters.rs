//! Counters, gauges and histograms, for whatever recorder the program installs. `docs/observability.md`
//! tells of each.

use std::time::Duration;

use metrics::{
    Label, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

const CALLS: &str = "cogency_calls_total";
const ATTEMPTS: &str = "cogency_attempts_total";
const RETRIES: &str = "cogency_retries_total";
const CALL_SECONDS: &str = "cogency_call_duration_seconds";

const LOADS: &str = "cogency_loads_total";
const LOAD_SECONDS: &str = "cogency_load_duration_seconds";
const LOADED_BYTES: &str = "cogency_loaded_bytes";
const SAVES: &str = "cogency_saves_total";
const SAVE_SECONDS: &str = "cogency_save_duration_seconds";
const SAVED_BYTES: &str = "cogency_saved_bytes";
const CONFLICTS: &str = "cogency_conflicts_total";
const WAITS: &str = "cogency_lease_waits_total";
const WAIT_SECONDS: &str = "cogency_lease_wait_seconds";
const ASIDE: &str = "cogency_set_aside_total";

const REPLAYS: &str = "cogency_replays_total";
const AWAY: &str = "cogency_backend_away";
const SPOOLED: &str = "cogency_spool_states";
const SPOOL_BYTES: &str = "cogency_spool_bytes";
const SPOOL_SECONDS: &str = "cogency_spool_oldest_seconds";

/// Tells the recorder what these are. One that is installed later does without.
pub(crate) fn describe() {
    use Unit::{Bytes, Count, Seconds};

    describe_counter!(CALLS, Count, "Calls of #[robust] functions, by how they ended");
    describe_counter!(ATTEMPTS, Count, "Attempts of #[robust] functions");
    describe_counter!(RETRIES, Count, "Attempts that followed a failed one");
    describe_histogram!(CALL_SECONDS, Seconds, "How long calls take, with all attempts and waits");
    describe_counter!(LOADS, Count, "Loads of states");
    describe_histogram!(LOAD_SECONDS, Seconds, "How long loads take, with the lease of a call");
    describe_histogram!(LOADED_BYTES, Bytes, "How large loaded states are, as JSON");
    describe_counter!(SAVES, Count, "Saves of states, by what became of them");
    describe_histogram!(SAVE_SECONDS, Seconds, "How long saves take");
    describe_histogram!(SAVED_BYTES, Bytes, "How large saved states are, as JSON");
    describe_counter!(CONFLICTS, Count, "Saves that were refused as something else was stored");
    describe_counter!(WAITS, Count, "Calls that found their key held by another process");
    describe_histogram!(WAIT_SECONDS, Seconds, "How long calls waited for their key");
    describe_counter!(ASIDE, Count, "States that were set aside, by the reason");
    describe_counter!(REPLAYS, Count, "Spooled states that were sent, by what became of them");
    describe_gauge!(AWAY, Count, "1 while the backend is known to be out of reach");
    describe_gauge!(SPOOLED, Count, "States in the spool: pending, in conflict, damaged");
    describe_gauge!(SPOOL_BYTES, Bytes, "How large the spool is");
    describe_gauge!(SPOOL_SECONDS, Seconds, "How long its oldest state has been waiting");
}

/// The kind of backend that is at a location, such as `redis`: few values, and no host.
fn backend(location: &str) -> Label {
    let kind = location.split_once(':').map_or(location, |(scheme, _)| scheme);
    let is_short = kind.len() <= 20 && kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '+');
    let kind = if is_short && !kind.is_empty() { kind } else { "other" };
    Label::new("backend", kind.to_owned())
}

pub(crate) fn called(
    function: &'static str,
    outcome: &'static str,
    error: &'static str,
    attempts: u32,
    took: Option<Duration>,
) {
    let of_function = || vec![Label::from_static_parts("function", function)];
    let mut labels = of_function();
    labels.push(Label::from_static_parts("outcome", outcome));
    if !error.is_empty() {
        labels.push(Label::from_static_parts("error", error));
    }
    counter!(CALLS, labels).increment(1);
    counter!(ATTEMPTS, of_function()).increment(attempts.into());
    counter!(RETRIES, of_function()).increment(attempts.saturating_sub(1).into());
    histogram!(CALL_SECONDS, of_function()).record(took.unwrap_or_default());
}

pub(crate) fn loaded(location: &str, took: Option<Duration>, bytes: Option<usize>) {
    let labels = vec![backend(location)];
    counter!(LOADS, labels.clone()).increment(1);
    histogram!(LOAD_SECONDS, labels.clone()).record(took.unwrap_or_default());
    if let Some(bytes) = bytes {
        histogram!(LOADED_BYTES, labels).record(size(bytes));
    }
}

pub(crate) fn waited(location: &str, waited: Option<Duration>) {
    let labels = vec![backend(location)];
    histogram!(WAIT_SECONDS, labels).record(waited.unwrap_or_default());
}

pub(crate) fn found_held(location: &str) {
    counter!(WAITS, vec![backend(location)]).increment(1);
}

pub(crate) fn saved(location: &str, outcome: &'static str, took: Option<Duration>, bytes: usize) {
    let labels = vec![backend(location)];
    if outcome == "conflict" {
        counter!(CONFLICTS, labels.clone()).increment(1);
    }
    histogram!(SAVE_SECONDS, labels.clone()).record(took.unwrap_or_default());
    histogram!(SAVED_BYTES, labels.clone()).record(size(bytes));
    let outcome = Label::from_static_parts("outcome", outcome);
    counter!(SAVES, [labels, vec![outcome]].concat()).increment(1);
}

pub(crate) fn set_aside(location: &str, reason: &'static str) {
    let labels = vec![backend(location), Label::from_static_parts("reason", reason)];
    counter!(ASIDE, labels).increment(1);
}

pub(crate) fn replayed(location: &str, outcome: &'static str) {
    let labels = vec![backend(location), Label::from_static_parts("outcome", outcome)];
    counter!(REPLAYS, labels).increment(1);
}

pub(crate) fn away(location: &str, is_away: bool) {
    gauge!(AWAY, vec![backend(location)]).set(if is_away { 1.0 } else { 0.0 });
}

/// What is in the spool, by the kinds of its entries.
pub(crate) fn spool(
    location: &str,
    entries: [(&'static str, usize); 3],
    bytes: u64,
    oldest: Option<Duration>,
) {
    for (kind, count) in entries {
        let labels = vec![backend(location), Label::from_static_parts("kind", kind)];
        gauge!(SPOOLED, labels).set(size(count));
    }
    let labels = vec![backend(location)];
    gauge!(SPOOL_BYTES, labels.clone()).set(size(usize::try_from(bytes).unwrap_or(usize::MAX)));
    gauge!(SPOOL_SECONDS, labels).set(oldest.unwrap_or_default());
}

#[expect(clippy::cast_precision_loss, reason = "nobody has so many")]
fn size(bytes: usize) -> f64 {
    bytes as f64
}
