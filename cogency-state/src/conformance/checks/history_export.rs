//! What a history offers to an archive, where it does.

use super::history::History;
use crate::conformance::check::{Stop, Verdict, ensure, fail};
use crate::conformance::sample;
use crate::conformance::trial::Trial;
use crate::error::Error;
use crate::history::{Anchor, Entry, HistoryRow, Moment, Retention, rebuild};
use crate::key::StateKey;
use crate::record::Record;

pub(super) async fn the_keys_of_histories_are_listed_in_order(trial: &Trial<'_>) -> Verdict {
    let history = History::of(trial)?;
    let user_id = Trial::fresh_id();
    let mut keys = Vec::new();
    for session_id in ["a", "b", "c", "d"] {
        let key = trial.key_of(&user_id, session_id)?;
        let lease = trial.backend.acquire(&key).await?;
        trial.backend.create_under(&lease, "with a history").await?;
        if session_id == "c" {
            trial.backend.delete(&lease).await?;
        }
        trial.backend.release(&lease).await?;
        keys.push(key);
    }
    let [first, second, third, last] = keys.as_slice() else { fail!("there are no four keys") };
    let page = history.keys(first, 2).await?;
    ensure!(
        page == [second.clone(), third.clone()],
        "two keys behind {first} are {page:?}, due are {second} and {third}, whose state is gone"
    );
    let page = history.keys(third, 1).await?;
    ensure!(page == [last.clone()], "behind {third} there is {page:?}, due is {last}");
    let page = history.keys(last, 1).await?;
    let more = page.iter().find(|key| *key <= last);
    ensure!(more.is_none(), "behind {last} there is {more:?}");
    Ok(())
}

pub(super) async fn what_need_not_stay_is_exported_once(trial: &Trial<'_>) -> Verdict {
    let history = History::of(trial)?;
    let records = history.rewrite(trial, 12).await?;
    let all = history.export(Anchor::NONE, Retention::All, 100).await?;
    ensure!(all.is_empty(), "{} entries are exported of a history that has to stay", all.len());
    let (mut after, mut exported) = (Anchor::NONE, Vec::new());
    loop {
        let rows = history.export(after, Retention::Versions(3), 2).await?;
        let Some(last) = rows.last() else { break };
        ensure!(
            rows.first().is_some_and(|first| first.before() == after),
            "an export does not begin behind the entry that it was to begin behind"
        );
        after = last.place();
        come_back(&history.key, &rows, &records)?;
        exported.extend(rows);
    }
    ensure!(!exported.is_empty(), "nothing is exported of what need not stay");
    let stays = exported.iter().find(|row| row.entry.version > 9);
    ensure!(stays.is_none(), "one of the last three versions, which have to stay, is exported");
    Ok(())
}

/// That entries are what was written, and that their versions come back out of them alone.
fn come_back(key: &StateKey, rows: &[HistoryRow], records: &[Record]) -> Verdict {
    let mut entries: Vec<Entry> = Vec::new();
    for row in rows {
        ensure!(row.is_intact(key), "the entry {} is not what was written", row.place().sequence);
        if row.entry.begins_anew() {
            entries.clear();
        }
        entries.push(row.entry.clone());
        let Ok(Some(state)) = rebuild(&entries) else {
            fail!("the entry {} cannot be rebuilt out of those with it", row.place().sequence)
        };
        let found = row.entry.record(key, state).ok();
        let due = records.iter().find(|record| record.revision.version == row.entry.version);
        sample::same(found.as_ref(), due, "a version out of exported entries")?;
    }
    Ok(())
}

pub(super) async fn exported_entries_are_removed_by_their_hash(trial: &Trial<'_>) -> Verdict {
    let history = History::of(trial)?;
    let records = history.rewrite(trial, 12).await?;
    let rows = history.export(Anchor::NONE, Retention::Versions(3), 100).await?;
    let Some(last) = rows.last().map(HistoryRow::place) else { fail!("nothing is exported") };
    let other = Anchor { sequence: last.sequence, hash: Anchor::NONE.hash };
    ensure!(!history.prune_through(other).await?, "an entry with another hash was removed");
    let there = history.list().await?.len();
    ensure!(there == records.len(), "{there} of {} entries are left", records.len());

    ensure!(history.prune_through(last).await?, "an entry that was exported cannot be removed");
    ensure!(history.prune_through(last).await?, "it cannot be removed again");
    let entries = history.list().await?;
    let gone = entries.iter().find(|entry| entry.sequence <= last.sequence);
    ensure!(gone.is_none(), "the entry {gone:?} is still there");
    let verified = history.verifies("after a pruning").await?;
    ensure!(verified.pruned == Some(last), "it was pruned up to {:?}", verified.pruned);
    for record in records.iter().skip(9) {
        let version = Moment::Version(record.revision.version);
        let found = history.load(version).await?;
        sample::same(found.as_ref(), Some(record), &format!("{version}, one of the last three"))?;
    }
    Ok(())
}

impl History<'_> {
    async fn keys(&self, after: &StateKey, limit: usize) -> Verdict<Vec<StateKey>> {
        told("history_keys", self.backend.history_keys(Some(after), limit).await)
    }

    async fn export(
        &self,
        after: Anchor,
        stays: Retention,
        limit: usize,
    ) -> Verdict<Vec<HistoryRow>> {
        let exported = self.backend.export_history(&self.key, after, stays, limit).await;
        told("export_history", exported)
    }

    async fn prune_through(&self, last: Anchor) -> Verdict<bool> {
        let pruned = self.backend.prune_history_through(&self.key, last).await;
        told("prune_history_through", pruned)
    }
}

/// A backend need not have these methods.
fn told<T>(method: &'static str, answer: Result<T, Error>) -> Verdict<T> {
    answer.map_err(|error| match error {
        Error::Config { .. } => Stop::NotApplicable("it hands no history over to an archive"),
        error => Stop::unexpected(method, &error),
    })
}
