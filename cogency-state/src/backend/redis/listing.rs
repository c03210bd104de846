//! The keys of all users: what a scan of the servers finds.
//!
//! The users' indexes would tell the same, but there is no index of users. Records that another
//! program wrote under their names are found too, whether they were adopted or not.

use super::records::Records;
use crate::backend::KeyPage;
use crate::backend::listing::not_given;
use crate::error::Error;

/// Where a page begins.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Which of the masters, in the order of their addresses.
    master: usize,
    /// Where its scan goes on.
    cursor: u64,
}

impl Place {
    fn read(text: &str) -> Option<Self> {
        let (master, cursor) = text.split_once(':')?;
        Some(Self { master: master.parse().ok()?, cursor: cursor.parse().ok()? })
    }

    fn written(self) -> String {
        format!("{}:{}", self.master, self.cursor)
    }
}

impl Records {
    /// One step of a scan: it may find nothing, or a key again, where the server's table grows.
    pub(super) async fn list_all(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<KeyPage, Error> {
        let place = after.map_or(Some(Place::default()), Place::read);
        let Place { master, cursor } = place.ok_or_else(|| not_given(self.location()))?;
        let masters = self.network.masters().await;
        let masters =
            masters.map_err(|failure| self.failed(None, "list the keys of all users", failure))?;
        // One may have gone since the page before.
        let Some(node) = masters.get(master) else { return Ok(KeyPage::default()) };
        let (cursor, names) = self.scan(node, cursor, limit.max(1)).await?;
        let keys = names.iter().filter_map(|name| {
            let key = self.keys.key_of(name)?;
            // Under another name of the original's it does not load before it is adopted.
            (self.keys.record(&key) == *name).then_some(key)
        });
        let next = match cursor {
            0 if master + 1 == masters.len() => None,
            0 => Some(Place { master: master + 1, cursor: 0 }),
            _ => Some(Place { master, cursor }),
        };
        Ok(KeyPage::new(keys.collect(), next.map(Place::written)))
    }
}
