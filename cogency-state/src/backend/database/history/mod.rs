//! Histories, as they are read.

mod exporting;
mod forgetting;
mod pruning;
mod verifying;

use async_trait::async_trait;

use super::DatabaseBackend;
use super::dialect::Script;
use super::entry::{self, Row};
use super::problem::{Failure, Problem};
use super::records::{LARGE, Records};
use super::row;
use super::standing::{self, Standing};
use crate::backend::history::record_of;
use crate::backend::off_thread::off_thread;
use crate::backend::{HistoryBackend, Verified};
use crate::error::Error;
use crate::history::{Anchor, HistoryEntry, HistoryRow, Moment, Retention, micros};
use crate::key::StateKey;
use crate::record::Record;

/// How often something is begun anew because the history went on meanwhile.
const TRIES: usize = 5;
/// So many entries at once, when all of a history is read.
const PAGE: i64 = 32;
/// More than a rebuild takes.
const REBUILD: i64 = 1024;
/// At most so many are listed at once.
const MAX_LISTED: usize = 10_000;

impl Records {
    /// Where a history stands, and the write id of the state that is there.
    pub(super) async fn standing(
        &self,
        key: &StateKey,
    ) -> Result<(Standing, Option<String>), Failure> {
        let arguments = [key.user_id().into(), key.session_id().into()];
        let answer = self.ask(Script::HistoryHead, &arguments, 0).await?;
        let found = answer.row()?;
        Ok((standing::of(found, 0)?, row::text(found, 12)?))
    }

    async fn list_history(
        &self,
        key: &StateKey,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, Failure> {
        let before = before.map_or(i64::MAX, count);
        let limit = i64::try_from(limit.min(MAX_LISTED)).unwrap_or(0);
        let arguments =
            [key.user_id().into(), key.session_id().into(), before.into(), limit.into()];
        let answer = self.ask(Script::HistoryList, &arguments, 0).await?;
        let entries = answer.rows.iter().map(|found| {
            let Row { entry, hash } = entry::of(&**found)?;
            Ok(entry.told(hash))
        });
        entries.collect::<Result<_, Problem>>().map_err(Failure::from)
    }

    /// Entries with what they keep; `Err` in place of one that cannot be read.
    async fn rows(
        &self,
        key: &StateKey,
        from: i64,
        to: i64,
        limit: i64,
    ) -> Result<Vec<Result<Row, Problem>>, Failure> {
        let arguments =
            [key.user_id().into(), key.session_id().into(), from.into(), to.into(), limit.into()];
        let answer = self.ask(Script::HistoryRows, &arguments, LARGE).await?;
        Ok(answer.rows.iter().map(|found| entry::of(&**found)).collect())
    }

    /// The only number of an answer.
    async fn place(
        &self,
        script: Script,
        key: &StateKey,
        number: u64,
    ) -> Result<Option<u64>, Failure> {
        let arguments = [key.user_id().into(), key.session_id().into(), count(number).into()];
        let answer = self.ask(script, &arguments, 0).await?;
        let Some(found) = answer.rows.last() else { return Ok(None) };
        Ok(standing::number(&**found, 0)?)
    }

    /// The keyframe that an entry's rebuild begins with, and what stands before it.
    async fn keyframe(
        &self,
        key: &StateKey,
        sequence: u64,
    ) -> Result<Option<(u64, Anchor)>, Failure> {
        let arguments = [key.user_id().into(), key.session_id().into(), count(sequence).into()];
        let answer = self.ask(Script::HistoryKeyframe, &arguments, 0).await?;
        let Some(found) = answer.rows.last() else { return Ok(None) };
        let Some(keyframe) = standing::number(&**found, 0)? else { return Ok(None) };
        let anchor = match row::text(&**found, 1)? {
            Some(_) => Anchor { sequence: keyframe - 1, hash: standing::hash(&**found, 1)? },
            None => Anchor::NONE,
        };
        Ok(Some((keyframe, anchor)))
    }

    async fn load_history(&self, key: &StateKey, moment: Moment) -> Result<Option<Record>, Error> {
        let failed = |failure| self.failed(Some(key), "read the history of", failure);
        let no_such = || Error::no_such_version(key, &self.location, moment);
        let sequence = match moment {
            Moment::Entry(sequence) => Some(sequence),
            Moment::Version(version) => {
                self.place(Script::HistoryOfVersion, key, version).await.map_err(failed)?
            }
            Moment::Time(time) => {
                self.place(Script::HistoryOfTime, key, micros(time)).await.map_err(failed)?
            }
        };
        let Some(sequence) = sequence else {
            let (standing, _) = self.standing(key).await.map_err(failed)?;
            let is_whole = standing.head.is_none_or(|head| head.pruned == Anchor::NONE);
            // Before the first entry there was no state.
            let was_none = is_whole && matches!(moment, Moment::Time(_));
            return if was_none { Ok(None) } else { Err(no_such()) };
        };
        let keyframe = self.keyframe(key, sequence).await.map_err(failed)?;
        let (keyframe, _) = keyframe.ok_or_else(no_such)?;
        let rows = self.rows(key, count(keyframe), count(sequence), REBUILD).await;
        let rows = rows.map_err(failed)?.into_iter().collect::<Result<Vec<_>, _>>();
        let rows = rows.map_err(|problem| failed(problem.into()))?;
        if rows.last().is_none_or(|row| row.entry.sequence != sequence) {
            return Err(no_such());
        }
        let entries: Vec<_> = rows.into_iter().map(|row| row.entry).collect();
        let (location, key) = (self.location.clone(), key.clone());
        off_thread(move || record_of(&entries, &location, &key)).await
    }
}

/// As databases count.
pub(super) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[async_trait]
impl HistoryBackend for DatabaseBackend {
    async fn list_history(
        &self,
        key: &StateKey,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        let key = key.clone();
        self.run(move |records| async move {
            let listed = records.list_history(&key, before, limit).await;
            listed.map_err(|failure| records.failed(Some(&key), "list the history of", failure))
        })
        .await
    }

    async fn load_history(&self, key: &StateKey, moment: Moment) -> Result<Option<Record>, Error> {
        let key = key.clone();
        self.run(move |records| async move { records.load_history(&key, moment).await }).await
    }

    async fn verify_history(&self, key: &StateKey) -> Result<Verified, Error> {
        let key = key.clone();
        self.run(move |records| async move { records.verify_history(&key).await }).await
    }

    async fn prune_history(&self, key: &StateKey, retention: Retention) -> Result<u64, Error> {
        let key = key.clone();
        self.run(move |records| async move { records.prune_history(&key, retention).await }).await
    }

    async fn forget_history(&self, key: &StateKey) -> Result<u64, Error> {
        let key = key.clone();
        self.run(move |records| async move { records.forget_history(&key).await }).await
    }

    async fn history_keys(
        &self,
        after: Option<&StateKey>,
        limit: usize,
    ) -> Result<Vec<StateKey>, Error> {
        let after = after.cloned();
        self.run(move |records| async move {
            records.list_after(Script::HistoryKeys, after.as_ref(), limit).await
        })
        .await
    }

    async fn export_history(
        &self,
        key: &StateKey,
        after: Anchor,
        stays: Retention,
        limit: usize,
    ) -> Result<Vec<HistoryRow>, Error> {
        let key = key.clone();
        self.run(
            move |records| async move { records.export_history(&key, after, stays, limit).await },
        )
        .await
    }

    async fn prune_history_through(&self, key: &StateKey, last: Anchor) -> Result<bool, Error> {
        let key = key.clone();
        self.run(move |records| async move { records.prune_history_through(&key, last).await })
            .await
    }
}
