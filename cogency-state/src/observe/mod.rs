//! What can be seen from outside, for all layers: it knows only errors and keys.
//!
//! - `call`: the span of a `#[robust]` call, and how the call ended;
//! - `clock`: measures only where somebody looks;
//! - `meters`: counters, gauges and histograms, by their names;
//! - `name`: short names of errors.
//!
//! Contents of states and URLs with passwords are given to none of them.

mod call;
mod clock;
#[cfg(feature = "metrics")]
pub(crate) mod meters;
mod name;

pub(crate) use call::{CallSpan, Ending};
pub(crate) use clock::Clock;
pub(crate) use name::name_of;
