//! A state that shows which calls made it.

use serde::{Deserialize, Serialize};

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct Entry {
    /// Who made it; no two agents are the same.
    pub agent: u64,
    /// Its number among the calls of that agent.
    pub number: u64,
}

/// All calls, in their order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ledger {
    /// An entry for each.
    pub entries: Vec<Entry>,
}

impl From<(u64, u64)> for Entry {
    fn from((agent, number): (u64, u64)) -> Self {
        Self { agent, number }
    }
}

impl From<Entry> for (u64, u64) {
    fn from(Entry { agent, number }: Entry) -> Self {
        (agent, number)
    }
}
