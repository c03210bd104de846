//! How much of a history stays.

use std::time::Duration;

/// How much of a history stays. A version that stays can be rebuilt: where it is kept as a change,
/// what it is a change of stays too, which can be up to 255 entries more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retention {
    /// All of it.
    #[default]
    All,
    /// At least so many of the newest versions; 0 counts as 1.
    Versions(u64),
    /// At least what was there at some time since so long ago.
    Age(Duration),
}
