//! Histories, where one is kept.

use super::aside;
use crate::backend::{Action, HistoryBackend, Verified, Write};
use crate::conformance::check::{Stop, Verdict, ensure, fail};
use crate::conformance::sample;
use crate::conformance::trial::Trial;
use crate::error::Error;
use crate::history::{HistoryEntry, Moment, Retention};
use crate::key::StateKey;
use crate::record::Record;

pub(super) async fn a_history_is_there_where_it_is_said_to_be(trial: &Trial<'_>) -> Verdict {
    let (said, is) = (trial.capabilities().history, trial.backend.history().is_some());
    ensure!(said == is, "Capabilities::history is {said}, but history() gives one: {is}");
    Ok(())
}

pub(super) async fn each_save_and_delete_has_one_entry(trial: &Trial<'_>) -> Verdict {
    let history = History::of(trial)?;
    let lease = trial.backend.acquire(&history.key).await?;
    let first = sample::record(&history.key, None, "first");
    let write = Write::new(first.clone(), None).with_action(Action::Reset);
    trial.backend.write(&lease, &write).await?;
    trial.backend.write(&lease, &write).await?;
    trial.backend.delete(&lease).await?;
    trial.backend.delete(&lease).await?;
    trial.backend.create_under(&lease, "anew").await?;
    trial.backend.release(&lease).await?;
    let entries = history.list().await?;
    let told: Vec<_> = entries.iter().rev().map(|entry| entry.event.as_str()).collect();
    ensure!(told == ["reset", "delete", "save"], "the entries are of {told:?}");
    let numbers: Vec<_> = entries.iter().rev().map(|entry| entry.sequence).collect();
    ensure!(numbers == [1, 2, 3], "the sequence numbers are {numbers:?}");
    let Some(entry) = entries.last() else { fail!("there is no entry") };
    ensure!(
        entry.write_id == Some(first.revision.write_id)
            && entry.actor.as_deref() == first.metadata.actor.as_deref()
            && entry.size == first.state.len() as u64,
        "the entry of a save does not tell its write id, actor and size"
    );
    history.verifies("after saves and a delete").await.map(drop)
}

pub(super) async fn a_save_that_is_refused_has_no_entry(trial: &Trial<'_>) -> Verdict {
    let history = History::of(trial)?;
    let lease = trial.backend.acquire(&history.key).await?;
    let first = trial.backend.create_under(&lease, "first").await?;
    let stale = Write::new(sample::record(&history.key, None, "stale"), None);
    trial.backend.refuses(&lease, &stale, Some(&first), "a first save over a record").await?;
    trial.backend.release(&lease).await?;
    let entries = history.list().await?.len();
    ensure!(entries == 1, "there are {entries} entries of one save and one that was refused");
    history.verifies("after a save that was refused").await.map(drop)
}

pub(super) async fn each_version_comes_back(trial: &Trial<'_>) -> Verdict {
    let history = History::of(trial)?;
    let records = history.grow(trial, 12).await?;
    let elsewhere = trial.second().await;
    let Some(second) = elsewhere.history() else { fail!("a second instance has no history") };
    for record in &records {
        let version = Moment::Version(record.revision.version);
        let found = history.load(version).await?;
        sample::same(found.as_ref(), Some(record), &format!("{version} of the history"))?;
        let found = second.load_history(&history.key, version).await;
        let found = found.map_err(|error| Stop::unexpected("load_history", &error))?;
        sample::same(found.as_ref(), Some(record), &format!("{version}, elsewhere"))?;
    }
    let future = history.backend.load_history(&history.key, Moment::Version(77)).await;
    ensure!(
        matches!(future, Err(Error::NoSuchVersion { .. })),
        "a version that never was gives {future:?}, due is NoSuchVersion"
    );
    Ok(())
}

pub(super) async fn a_pruned_history_keeps_what_it_should(trial: &Trial<'_>) -> Verdict {
    let history = History::of(trial)?;
    let records = history.grow(trial, 12).await?;
    let pruned = history.backend.prune_history(&history.key, Retention::Versions(3)).await;
    pruned.map_err(|error| Stop::unexpected("prune_history", &error))?;
    for record in records.iter().skip(9) {
        let version = Moment::Version(record.revision.version);
        let found = history.load(version).await?;
        sample::same(found.as_ref(), Some(record), &format!("{version}, one of the last three"))?;
    }
    history.verifies("after a pruning").await.map(drop)
}

pub(super) async fn what_is_set_aside_and_comes_back_has_entries(trial: &Trial<'_>) -> Verdict {
    let history = History::of(trial)?;
    aside::applies(trial)?;
    let record = trial.backend.create(&history.key, "to be set aside").await?;
    let lease = trial.backend.acquire(&history.key).await?;
    let aside = aside::aside(&record);
    for _ in 0..2 {
        aside::set(&trial.backend, &lease, &aside).await?;
    }
    for _ in 0..2 {
        aside::restore(&trial.backend, &lease, &aside).await?;
    }
    trial.backend.release(&lease).await?;
    let entries = history.list().await?;
    let told: Vec<_> = entries.iter().rev().map(|entry| entry.event.as_str()).collect();
    ensure!(told == ["save", "quarantine", "restore"], "the entries are of {told:?}");
    let found = history.load(Moment::Entry(2)).await?;
    sample::same(found.as_ref(), None, "when it was set aside")?;
    let found = history.load(Moment::Entry(3)).await?;
    sample::same(found.as_ref(), Some(&record), "when it was back")?;
    history.verifies("after it came back").await.map(drop)
}

/// The history of a key that was never used before.
pub(super) struct History<'t> {
    pub(super) backend: &'t dyn HistoryBackend,
    pub(super) key: StateKey,
}

impl<'t> History<'t> {
    pub(super) fn of(trial: &'t Trial<'_>) -> Verdict<Self> {
        let backend = trial.backend.history().ok_or(Stop::NotApplicable("it keeps no history"))?;
        Ok(Self { backend, key: trial.key()? })
    }

    /// Saves a state that grows, so many times.
    pub(super) async fn grow(&self, trial: &Trial<'_>, versions: usize) -> Verdict<Vec<Record>> {
        let text = |version| "of many words, \u{1f916} ".repeat(version * version);
        self.save_each(trial, (1..=versions).map(text)).await
    }

    /// Saves states that have little in common, so many times.
    pub(super) async fn rewrite(&self, trial: &Trial<'_>, versions: usize) -> Verdict<Vec<Record>> {
        let text = |version: usize| format!("{version} ").repeat(200);
        self.save_each(trial, (1..=versions).map(text)).await
    }

    async fn save_each(
        &self,
        trial: &Trial<'_>,
        texts: impl Iterator<Item = String>,
    ) -> Verdict<Vec<Record>> {
        let lease = trial.backend.acquire(&self.key).await?;
        let mut records: Vec<Record> = Vec::new();
        for text in texts {
            let before = records.last();
            let record = sample::record(&self.key, before, &text);
            let write = Write::new(record.clone(), before.map(|before| before.revision))
                .with_replaced(before.map(|before| before.state.clone()));
            trial.backend.write(&lease, &write).await?;
            records.push(record);
        }
        trial.backend.release(&lease).await?;
        Ok(records)
    }

    pub(super) async fn list(&self) -> Verdict<Vec<HistoryEntry>> {
        let listed = self.backend.list_history(&self.key, None, 100).await;
        listed.map_err(|error| Stop::unexpected("list_history", &error))
    }

    pub(super) async fn load(&self, moment: Moment) -> Verdict<Option<Record>> {
        let loaded = self.backend.load_history(&self.key, moment).await;
        loaded.map_err(|error| Stop::unexpected("load_history", &error))
    }

    pub(super) async fn verifies(&self, when: &str) -> Verdict<Verified> {
        let verified = self.backend.verify_history(&self.key).await;
        let verified = verified.map_err(|error| Stop::unexpected("verify_history", &error))?;
        ensure!(verified.is_current, "{when} the history is not that of the state");
        Ok(verified)
    }
}
