//! Removing what need not stay of a history.

use super::{TRIES, count};
use crate::backend::database::dialect::Script;
use crate::backend::database::entry::Columns;
use crate::backend::database::leases::Attempt;
use crate::backend::database::problem::{Failure, Problem};
use crate::backend::database::records::Records;
use crate::backend::database::standing::Standing;
use crate::error::Error;
use crate::history::{Anchor, Head, Next, Retention, in_micros};
use crate::holder::Holder;
use crate::key::StateKey;

impl Records {
    pub(in crate::backend::database) async fn prune_history(
        &self,
        key: &StateKey,
        retention: Retention,
    ) -> Result<u64, Error> {
        let failed = |failure| self.failed(Some(key), "prune the history of", failure);
        for _ in 0..TRIES {
            let pruned = self.prune_once(key, retention).await.map_err(failed)?;
            if let Some(removed) = pruned {
                return Ok(removed);
            }
        }
        Err(failed(Problem::HistoryMoves.into()))
    }

    /// `None` if the history went on meanwhile.
    async fn prune_once(
        &self,
        key: &StateKey,
        retention: Retention,
    ) -> Result<Option<u64>, Failure> {
        let (standing, _) = self.standing(key).await?;
        let Some(head) = &standing.head else { return Ok(Some(0)) };
        let last = self.last_to_go(key, retention, &standing).await?;
        let Some(last) = last.filter(|last| last.sequence > head.pruned.sequence) else {
            return Ok(Some(0));
        };
        self.prune_to(key, &standing, head, last).await
    }

    /// The last entry that need not stay, if some was not pruned.
    pub(super) async fn last_to_go(
        &self,
        key: &StateKey,
        retention: Retention,
        standing: &Standing,
    ) -> Result<Option<Anchor>, Failure> {
        // A clock that was set back does not make entries younger.
        let now = standing.head.as_ref().map_or(0, |head| head.at).max(standing.now());
        let Some(oldest) = self.oldest_to_stay(key, retention, now).await? else {
            return Ok(None);
        };
        Ok(self.keyframe(key, oldest).await?.map(|(_, before)| before))
    }

    /// Removes all up to an entry. `None` if the history went on meanwhile.
    pub(super) async fn prune_to(
        &self,
        key: &StateKey,
        standing: &Standing,
        head: &Head,
        anchor: Anchor,
    ) -> Result<Option<u64>, Failure> {
        let by = Attempt::new(&Holder::current());
        let next = Next::prune(head, key, anchor, by.origin(standing.now()));
        let columns = Columns::of(Some(head), &next)?;
        let through = anchor.hash.to_string();
        let arguments = [
            key.user_id().into(),
            key.session_id().into(),
            count(anchor.sequence).into(),
            through.as_str().into(),
            columns.sequence.into(),
            columns.previous.as_deref().into(),
            columns.hash.as_str().into(),
            columns.at.into(),
            next.entry.event.as_str().into(),
            columns.process.into(),
            next.entry.host.as_str().into(),
            columns.version.into(),
            next.entry.write_id.as_str().into(),
            columns.content.into(),
        ];
        let answer = self.ask(Script::HistoryPrune, &arguments, 0).await?;
        let is_done = answer.row()?.int(0)?.is_some_and(|done| done > 0);
        Ok(is_done.then_some(anchor.sequence.saturating_sub(head.pruned.sequence)))
    }

    /// The oldest entry whose version has to stay.
    async fn oldest_to_stay(
        &self,
        key: &StateKey,
        retention: Retention,
        now: u64,
    ) -> Result<Option<u64>, Failure> {
        match retention {
            Retention::All => Ok(None),
            Retention::Versions(versions) => {
                self.place(Script::HistoryOfRank, key, versions.max(1) - 1).await
            }
            Retention::Age(age) => {
                let since = now.saturating_sub(in_micros(age));
                self.place(Script::HistoryOfTime, key, since).await
            }
        }
    }
}
