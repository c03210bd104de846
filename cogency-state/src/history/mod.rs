//! What happened to a state, and how to get each of its versions back. Knows no backend.
//!
//! | | |
//! |---|---|
//! | `diff`, `change` | the change between two serialised states: found, written as JSON, applied |
//! | `bare` | an entry, from what is known when something happens |
//! | `step` | the next entry of a history, with its hash, for backends that write it at once |
//! | `entry` | one event, as it is stored and as it is told |
//! | `head` | where a history stands: what the next entry continues |
//! | `weight` | what the rebuild of the newest version takes, and whether a change is worth it |
//! | `outline` | which entry a moment means, and which entries may go |
//! | `export` | entries for an archive |
//! | `row` | an entry with all that is stored of it, as it goes into an archive |
//! | `audit` | whether a history is what was written, and where not |
//! | `rebuild` | a version out of a keyframe and the changes behind it |
//! | `event`, `moment`, `retention` | what its users name |
//!
//! A backend keeps the entries and one [`Head`] for each key, and changes both together with the
//! state: `Head::next` makes of the newest head and a save the entry and the next head.

mod audit;
mod bare;
mod change;
mod diff;
mod digest;
mod entry;
mod event;
mod export;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod head;
mod moment;
mod outline;
mod rebuild;
mod retention;
mod row;
mod step;
mod weight;

pub(crate) use audit::{Audit, Break};
pub use digest::HistoryHash;
pub use entry::HistoryEntry;
pub(crate) use entry::{Entry, Kind};
pub use event::Event;
pub(crate) use export::Export;
pub use head::Anchor;
pub(crate) use head::{Head, Origin};
pub use moment::Moment;
pub(crate) use outline::{Outline, Outlines, in_micros, micros};
pub(crate) use rebuild::rebuild;
pub use retention::Retention;
pub use row::HistoryRow;
pub(crate) use step::{Back, Next, Saved};
pub(crate) use weight::Weight;

#[cfg(test)]
mod tests;
