//! How much of which history stays.

use super::records::Records;
use crate::history::Retention;
use crate::key::StateKey;

/// What stays of the histories of some keys.
pub(super) struct Kept {
    pub(super) is_meant: Box<dyn Fn(&StateKey) -> bool + Send + Sync>,
    pub(super) retention: Retention,
}

impl Records {
    /// What stays of the history of a key; `None` if none is kept.
    pub(super) fn retention_of(&self, key: &StateKey) -> Option<Retention> {
        let general = self.retention?;
        let own = self.kept.iter().find(|kept| (kept.is_meant)(key));
        Some(own.map_or(general, |kept| kept.retention))
    }
}
