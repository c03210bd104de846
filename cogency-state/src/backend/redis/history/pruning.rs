//! Removing what need not stay of a history.

use super::{Look, Looked};
use crate::backend::redis::TRIES;
use crate::backend::redis::claim::Attempt;
use crate::backend::redis::entry::Written;
use crate::backend::redis::problem::{Failure, Problem};
use crate::backend::redis::reading::id;
use crate::backend::redis::records::Records;
use crate::backend::redis::request::{Request, command};
use crate::backend::redis::scripts::PRUNE;
use crate::backend::redis::standing::Standing;
use crate::error::{BoxError, Error};
use crate::history::{Anchor, Break, Next, Origin, Retention};
use crate::holder::Holder;
use crate::key::StateKey;

const PRUNE_IT: &str = "prune the history of";

/// At least so many saves lie between two looks at what may go, and at most so many.
const LOOKS: (u64, u64) = (16, 256);

/// What a pruning did.
enum Pruned {
    /// So many entries went.
    Removed(u64),
    /// Nothing: the history went on meanwhile.
    Moved,
}

impl Pruned {
    fn is_done(&self) -> bool {
        matches!(self, Self::Removed(_))
    }
}

impl Records {
    pub(super) async fn prune_history(
        &self,
        key: &StateKey,
        retention: Retention,
    ) -> Result<u64, Error> {
        let now = self.now(key).await?;
        let mut look = Look::new(key, PRUNE_IT);
        for _ in 0..TRIES {
            let Some(standing) = self.stands(&look).await? else { return Ok(0) };
            let last = self.last_to_go(key, &standing, retention, now).await;
            let last = match self.unless_moved(&mut look, Some(&standing), last).await? {
                Some(Some(last)) => last,
                Some(None) => return Ok(0),
                None => continue,
            };
            if let Pruned::Removed(removed) = self.prune_to(key, &standing, last, now).await? {
                return Ok(removed);
            }
        }
        Err(look.failed(self, Problem::HistoryMoves.into()))
    }

    /// The last entry that need not stay, if one is there.
    pub(super) async fn last_to_go(
        &self,
        key: &StateKey,
        standing: &Standing,
        retention: Retention,
        now: u64,
    ) -> Looked<Option<Anchor>> {
        if retention == Retention::All || standing.is_one_segment() {
            return Ok(Ok(None));
        }
        let outlines = match self.outlines(key, standing).await? {
            Ok(outlines) => outlines,
            Err(broken) => return Ok(Err(broken)),
        };
        let Some(last) = outlines.last_to_go(retention, now.max(standing.head.at)) else {
            return Ok(Ok(None));
        };
        let found = self.entries(key, last, last, 1).await?;
        Ok(found.and_then(|found| match found.first() {
            Some(found) => Ok(Some(found.place())),
            None => Err(Break::at(last, "it is missing")),
        }))
    }

    /// Removes all up to an entry.
    async fn prune_to(
        &self,
        key: &StateKey,
        standing: &Standing,
        last: Anchor,
        now: u64,
    ) -> Result<Pruned, Error> {
        let by = Holder::current();
        let origin = Origin { at: now, process: by.process, host: &by.host };
        let next = Next::prune(&standing.head, key, last, origin);
        let written = Written::new(Some(standing), next);
        let written =
            written.map_err(|error| Error::backend(Some(key), self.location(), PRUNE_IT, error))?;
        let request = self.pruning(key, standing, last, &written);
        let said = match self.word(&self.and_wait(request)).await {
            Ok(said) => said,
            Err(failure) if failure.is_doubtful => return Err(self.pruning_in_doubt(key, failure)),
            Err(failure) => return Err(self.failed(Some(key), PRUNE_IT, failure)),
        };
        let removed = Pruned::Removed(last.sequence - standing.head.pruned.sequence);
        if said.word == "done" {
            said.replicated.map_err(|problem| self.pruning_in_doubt(key, problem.into()))?;
            self.known.noted(key, &written);
            return Ok(removed);
        }
        if said.word == "cut" {
            return Err(self.cut(key, written.sequence));
        }
        // It may have been an earlier try that did it.
        let failed = |failure| self.failed(Some(key), PRUNE_IT, failure);
        let there = self.standing(key, true).await.map_err(failed)?;
        let is_done = there.is_ok_and(|there| there.is_some_and(|there| there.head.pruned == last));
        Ok(if said.is_doubtful && is_done { removed } else { Pruned::Moved })
    }

    fn pruning(
        &self,
        key: &StateKey,
        standing: &Standing,
        last: Anchor,
        written: &Written,
    ) -> Request {
        let names = self.keys.of(key);
        let (count, newest) = (standing.entries.to_string(), id(standing.head.sequence));
        let (stays, own) = (id(last.sequence + 1), id(written.sequence));
        let arguments = [count.as_bytes(), newest.as_bytes(), stays.as_bytes(), &written.json];
        let arguments = [&arguments[..], &[own.as_bytes()]].concat();
        Request::new().then_script(&PRUNE, &[&names.history, &names.contents], &arguments)
    }

    fn pruning_in_doubt(&self, key: &StateKey, failure: Failure) -> Error {
        let source: BoxError = failure.problem.into();
        Error::outcome_unknown(key, self.location(), None, source)
    }

    /// Lets go of what need not stay, now and then. The save counts anyway.
    pub(in crate::backend::redis) async fn prune_behind(
        &self,
        key: &StateKey,
        attempt: &Attempt,
        standing: &Standing,
    ) {
        let Some(retention) = self.retention.filter(|retention| is_due(*retention, standing))
        else {
            return;
        };
        attempt.found_moved();
        let now = attempt.origin().at;
        if let Err(error) = self.let_go(key, standing, retention, now).await {
            tracing::warn!(%key, %error, "a history was not pruned");
        }
    }

    /// Who wrote it all need not read it.
    async fn let_go(
        &self,
        key: &StateKey,
        standing: &Standing,
        retention: Retention,
        now: u64,
    ) -> Result<(), Error> {
        if let Some(last) = self.known.last_to_go(key, standing.head.place(), retention, now) {
            let is_gone = last.sequence <= standing.head.pruned.sequence;
            if is_gone || self.prune_to(key, standing, last, now).await?.is_done() {
                return Ok(());
            }
        }
        self.prune_history(key, retention).await.map(drop)
    }

    pub(super) async fn prune_history_through(
        &self,
        key: &StateKey,
        last: Anchor,
    ) -> Result<bool, Error> {
        let now = self.now(key).await?;
        let mut look = Look::new(key, PRUNE_IT);
        for _ in 0..TRIES {
            let Some(standing) = self.stands(&look).await? else { return Ok(true) };
            if standing.head.pruned.sequence >= last.sequence {
                return Ok(true);
            }
            let may_go = self.may_end_at(key, last).await;
            match self.unless_moved(&mut look, Some(&standing), may_go).await? {
                Some(true) => {}
                Some(false) => return Ok(false),
                None => continue,
            }
            if let Pruned::Removed(_) = self.prune_to(key, &standing, last, now).await? {
                return Ok(true);
            }
        }
        Err(look.failed(self, Problem::HistoryMoves.into()))
    }

    /// Whether this very entry is there, and what follows it can be rebuilt without it.
    async fn may_end_at(&self, key: &StateKey, last: Anchor) -> Looked<bool> {
        let both = self.entries(key, last.sequence, last.sequence.saturating_add(1), 2).await?;
        Ok(both.map(|both| match both.as_slice() {
            [found, next] => found.place() == last && next.entry().begins_anew(),
            _ => false,
        }))
    }

    /// The server's clock, in microseconds since 1970.
    pub(super) async fn now(&self, key: &StateKey) -> Result<u64, Error> {
        let failed = |failure| self.failed(Some(key), "ask for the time of", failure);
        // It is asked where the history is, in a cluster too.
        let record = self.keys.record(key);
        let request = Request::one(command(&[b"EXISTS", record.as_bytes()]))
            .then_without_key(command(&[b"TIME"]));
        let time = self.value(&request).await.map_err(failed)?;
        let (seconds, micros): (u64, u64) = redis::from_redis_value(time)
            .map_err(|_| failed(Problem::Strange("no time").into()))?;
        Ok(seconds.saturating_mul(1_000_000).saturating_add(micros))
    }
}

/// Whether a look is due at what may go. It costs as much as what there is, so not each save does.
fn is_due(retention: Retention, standing: &Standing) -> bool {
    let (least, most) = LOOKS;
    let stay = match retention {
        Retention::All => return false,
        Retention::Versions(versions) => versions,
        Retention::Age(_) => 0,
    };
    let step = stay.clamp(least, most);
    standing.head.sequence.is_multiple_of(step)
        && standing.entries > stay
        && !standing.is_one_segment()
}
