//! Whether histories are what was written.

use super::{Look, Looked, PAGE};
use crate::backend::Verified;
use crate::backend::redis::records::Records;
use crate::backend::redis::standing::Standing;
use crate::envelope;
use crate::error::Error;
use crate::history::{Anchor, Audit, Break, Head, HistoryRow};
use crate::key::StateKey;

impl Records {
    pub(super) async fn verify_history(&self, key: &StateKey) -> Result<Verified, Error> {
        let mut look = Look::new(key, "verify the history of");
        let head = loop {
            let standing = self.stands(&look).await?;
            let audited = self.audited(key, standing.as_ref()).await;
            if let Some(head) = self.unless_moved(&mut look, standing.as_ref(), audited).await? {
                break head;
            }
        };
        let stored = self.stored_id(key, head.as_ref()).await?;
        Ok(Verified::of(head.as_ref(), stored.as_deref()))
    }

    /// Whether the entries are those that lead to where the history stands.
    async fn audited(&self, key: &StateKey, standing: Option<&Standing>) -> Looked<Option<Head>> {
        let Some(Standing { head, .. }) = standing else { return Ok(Ok(None)) };
        let mut audit = Audit::new(key, head.pruned);
        let mut begun = 0;
        // Also what stands where none should.
        let mut from = 0;
        while from <= head.sequence {
            let page = match self.entries(key, from, head.sequence, PAGE).await? {
                Ok(page) if page.is_empty() => break,
                Ok(page) => page,
                Err(broken) => return Ok(Err(broken)),
            };
            for found in page {
                let (before, head_then, keyframe) =
                    (found.before(), found.head(), found.keyframe());
                let found = match self.whole(key, found).await? {
                    Ok(found) => found,
                    Err(broken) => return Ok(Err(broken)),
                };
                let previous = Anchor { sequence: audit.next() - 1, hash: audit.head().hash };
                let HistoryRow { hash, entry, .. } = found.into_row();
                if let Err(broken) = audit.check(&entry, hash) {
                    return Ok(Err(broken));
                }
                begun = if entry.begins_anew() { entry.sequence } else { begun };
                // It was written when less was pruned.
                let told = Head { pruned: head.pruned, ..head_then };
                if before != previous || keyframe != begun || told != *audit.head() {
                    let reason = "it does not say truly where it stands";
                    return Ok(Err(Break::at(entry.sequence, reason)));
                }
            }
            from = audit.next();
        }
        Ok(audit.finish(Some(head)).map(|()| Some(head.clone())))
    }

    /// What says that a state is the one of the newest entry, or is not.
    async fn stored_id(
        &self,
        key: &StateKey,
        head: Option<&Head>,
    ) -> Result<Option<String>, Error> {
        let Some(document) = self.document(key).await? else { return Ok(None) };
        let write_id = head.and_then(|head| head.write_id.parse().ok());
        let is_newest = write_id.and_then(|id| envelope::beginning_of(&document, id)).is_some();
        let newest = head.filter(|_| is_newest).map(|head| head.write_id.clone());
        Ok(Some(newest.unwrap_or_default()))
    }
}
