//! Whether histories are what was written.

use super::{PAGE, TRIES, count};
use crate::backend::Verified;
use crate::backend::database::entry::Row;
use crate::backend::database::problem::Failure;
use crate::backend::database::records::Records;
use crate::error::Error;
use crate::history::{Anchor, Audit, Break, Head};
use crate::key::StateKey;

impl Records {
    pub(super) async fn verify_history(&self, key: &StateKey) -> Result<Verified, Error> {
        let failed = |failure| self.failed(Some(key), "verify the history of", failure);
        let mut tries = 0;
        loop {
            let (standing, stored) = self.standing(key).await.map_err(failed)?;
            let head = standing.head;
            let broken = match self.audit(key, head.as_ref()).await.map_err(failed)? {
                Ok(()) => {
                    let stored = stored.as_deref().map(str::trim_end);
                    return Ok(Verified::of(head.as_ref(), stored));
                }
                Err(broken) => broken,
            };
            // Somebody may have pruned it under way, or begun it.
            let (now, _) = self.standing(key).await.map_err(failed)?;
            let begins = |head: &Option<Head>| head.as_ref().map(|head| head.pruned);
            tries += 1;
            if begins(&now.head) == begins(&head) || tries == TRIES {
                let Break { sequence, reason } = broken;
                return Err(Error::history_broken(key, &self.location, sequence, reason));
            }
        }
    }

    /// Whether the entries are those that lead to this head.
    async fn audit(
        &self,
        key: &StateKey,
        head: Option<&Head>,
    ) -> Result<Result<(), Break>, Failure> {
        let mut audit = Audit::new(key, head.map_or(Anchor::NONE, |head| head.pruned));
        let last = head.map_or(0, |head| head.sequence);
        // Also what stands where none should.
        let mut from = i64::MIN;
        loop {
            let rows = self.rows(key, from, count(last), PAGE).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let Ok(Row { entry, hash }) = row else {
                    let reason = "a column does not hold what it should";
                    return Ok(Err(Break::at(audit.next(), reason)));
                };
                if let Err(broken) = audit.check(&entry, hash) {
                    return Ok(Err(broken));
                }
            }
            from = count(audit.next());
        }
        let Err(broken) = audit.finish(head) else {
            return self.ends(key, head, last).await;
        };
        Ok(Err(broken))
    }

    /// Whether no entry stands behind the newest, unless the history went on.
    async fn ends(
        &self,
        key: &StateKey,
        head: Option<&Head>,
        last: u64,
    ) -> Result<Result<(), Break>, Failure> {
        let behind = self.rows(key, count(last + 1), i64::MAX, 1).await?;
        if !behind.is_empty() && self.standing(key).await?.0.head.as_ref() == head {
            return Ok(Err(Break::at(last + 1, "it stands behind the newest entry")));
        }
        Ok(Ok(()))
    }
}
