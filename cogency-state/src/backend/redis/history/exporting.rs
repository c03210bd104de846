//! Entries that an archive takes.

use super::{Look, Looked, PAGE};
use crate::backend::redis::records::Records;
use crate::error::Error;
use crate::history::{Anchor, Break, Export, HistoryRow, Retention};
use crate::key::StateKey;

impl Records {
    pub(super) async fn export_history(
        &self,
        key: &StateKey,
        after: Anchor,
        stays: Retention,
        limit: usize,
    ) -> Result<Vec<HistoryRow>, Error> {
        let now = self.now(key).await?;
        let mut look = Look::new(key, "export the history of");
        loop {
            let Some(standing) = self.stands(&look).await? else { return Ok(Vec::new()) };
            let begin = standing.head.pruned.or_later(after);
            let exported = match self.last_to_go(key, &standing, stays, now).await {
                Ok(Ok(Some(last))) if last.sequence > begin.sequence => {
                    self.between(key, (begin, last), limit).await
                }
                Ok(Ok(_)) => return Ok(Vec::new()),
                Ok(Err(broken)) => Ok(Err(broken)),
                Err(failure) => Err(failure),
            };
            if let Some(rows) = self.unless_moved(&mut look, Some(&standing), exported).await? {
                return Ok(rows);
            }
        }
    }

    /// Entries behind one and up to another, the first of them; each is looked at.
    async fn between(
        &self,
        key: &StateKey,
        (begin, last): (Anchor, Anchor),
        limit: usize,
    ) -> Looked<Vec<HistoryRow>> {
        let mut export = Export::new(key, begin, limit);
        while export.next() <= last.sequence {
            let page = match self.entries(key, export.next(), last.sequence, PAGE).await? {
                Ok(page) if page.is_empty() => {
                    return Ok(Err(Break::at(export.next(), "it is missing")));
                }
                Ok(page) => page,
                Err(broken) => return Ok(Err(broken)),
            };
            for found in page {
                let found = match self.whole(key, found).await? {
                    Ok(found) => found,
                    Err(broken) => return Ok(Err(broken)),
                };
                let HistoryRow { hash, entry, .. } = found.into_row();
                match export.take(entry, hash) {
                    Ok(true) => {}
                    Ok(false) => return Ok(Ok(export.finish())),
                    Err(broken) => return Ok(Err(broken)),
                }
            }
        }
        Ok(Ok(export.finish()))
    }
}
