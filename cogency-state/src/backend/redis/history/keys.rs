//! The keys that have a history: what a scan of the servers finds.

use std::collections::BTreeSet;

use crate::backend::redis::records::Records;
use crate::error::Error;
use crate::key::StateKey;

/// How many names are looked at in one go.
const AT_ONCE: usize = 1000;

impl Records {
    /// The first keys behind one, in order. Each page costs a look at the names of all: this is for an
    /// archive, which has large pages.
    pub(super) async fn history_keys(
        &self,
        after: Option<&StateKey>,
        limit: usize,
    ) -> Result<Vec<StateKey>, Error> {
        let failed = |failure| self.failed(None, "list the histories", failure);
        let mut first = BTreeSet::new();
        for master in self.network.masters().await.map_err(failed)? {
            let mut cursor = 0;
            loop {
                let names;
                let pattern = self.keys.any_history();
                (cursor, names) =
                    self.scan_for(&master, cursor, &pattern, "stream", AT_ONCE).await?;
                let keys = names.iter().filter_map(|name| self.keys.key_of_history(name));
                for key in keys.filter(|key| after.is_none_or(|after| key > after)) {
                    first.insert(key);
                    if first.len() > limit {
                        first.pop_last();
                    }
                }
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(first.into_iter().collect())
    }
}
