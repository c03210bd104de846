//! Entries that an archive takes, and that leave then.

use super::{PAGE, TRIES, count};
use crate::backend::database::entry::Row;
use crate::backend::database::problem::{Failure, Problem};
use crate::backend::database::records::Records;
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
        let failed = |failure| self.failed(Some(key), "export the history of", failure);
        let mut tries = 0;
        loop {
            let (standing, _) = self.standing(key).await.map_err(failed)?;
            let Some(head) = &standing.head else { return Ok(Vec::new()) };
            let last = self.last_to_go(key, stays, &standing).await.map_err(failed)?;
            let begin = head.pruned.or_later(after);
            let Some(last) = last.filter(|last| last.sequence > begin.sequence) else {
                return Ok(Vec::new());
            };
            let exported = self.between(key, begin, last, limit).await.map_err(failed)?;
            let Break { sequence, reason } = match exported {
                Ok(rows) => return Ok(rows),
                Err(broken) => broken,
            };
            // Somebody may have pruned it under way.
            let (now, _) = self.standing(key).await.map_err(failed)?;
            tries += 1;
            if now.head.is_some_and(|now| now.pruned == head.pruned) || tries == TRIES {
                return Err(Error::history_broken(key, &self.location, sequence, reason));
            }
        }
    }

    /// Entries behind one and up to another, the first of them; each is looked at.
    async fn between(
        &self,
        key: &StateKey,
        begin: Anchor,
        last: Anchor,
        limit: usize,
    ) -> Result<Result<Vec<HistoryRow>, Break>, Failure> {
        let mut export = Export::new(key, begin, limit);
        while export.next() <= last.sequence {
            let page = self.rows(key, count(export.next()), count(last.sequence), PAGE).await?;
            if page.is_empty() {
                return Ok(Err(Break::at(export.next(), "it is missing")));
            }
            for row in page {
                let Ok(Row { entry, hash }) = row else {
                    let reason = "a column does not hold what it should";
                    return Ok(Err(Break::at(export.next(), reason)));
                };
                match export.take(entry, hash) {
                    Ok(true) => {}
                    Ok(false) => return Ok(Ok(export.finish())),
                    Err(broken) => return Ok(Err(broken)),
                }
            }
        }
        Ok(Ok(export.finish()))
    }

    pub(super) async fn prune_history_through(
        &self,
        key: &StateKey,
        last: Anchor,
    ) -> Result<bool, Error> {
        let failed = |failure| self.failed(Some(key), "prune the history of", failure);
        for _ in 0..TRIES {
            let (standing, _) = self.standing(key).await.map_err(failed)?;
            let Some(head) = &standing.head else { return Ok(true) };
            if head.pruned.sequence >= last.sequence {
                return Ok(true);
            }
            if !self.may_end_at(key, last).await.map_err(failed)? {
                return Ok(false);
            }
            let pruned = self.prune_to(key, &standing, head, last).await.map_err(failed)?;
            if pruned.is_some() {
                return Ok(true);
            }
        }
        Err(failed(Problem::HistoryMoves.into()))
    }

    /// Whether this very entry is there, and what follows it can be rebuilt without it.
    async fn may_end_at(&self, key: &StateKey, last: Anchor) -> Result<bool, Failure> {
        let sequence = last.sequence;
        let rows = self.rows(key, count(sequence), count(sequence.saturating_add(1)), 2).await?;
        let [Ok(found), Ok(next)] = rows.as_slice() else { return Ok(false) };
        let is_there = found.entry.sequence == sequence && found.hash == last.hash;
        Ok(is_there && next.entry.begins_anew())
    }
}
