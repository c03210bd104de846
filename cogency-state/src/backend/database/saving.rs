//! Saving: a compare-and-set under a lease, as one step of the server's, with its entry in the
//! history.

use std::sync::Arc;
use std::time::Duration;

use super::dialect::Script;
use super::entry::Columns;
use super::known::KnownRecord;
use super::leases::{Attempt, micros};
use super::problem::Problem;
use super::records::{Answer, Records};
use super::row;
use super::standing::Standing;
use super::statement::Argument;
use crate::backend::off_thread::off_thread;
use crate::backend::{Lease, Write};
use crate::error::{BoxError, Error};
use crate::history::{Head, Kind, Next, Retention, Saved};
use crate::key::StateKey;
use crate::record::{MAX_VERSION, Record, Revision, WriteId};

/// What lies beyond is for ever: the year 9999 is the last that each database can write.
const LONGEST_TTL: Duration = Duration::from_secs(7_000 * 366 * 24 * 60 * 60);

/// How often a save is made anew because the history of its key went on under its lease.
pub(super) const TRIES: usize = 5;
/// The change of a larger state is looked for where that holds nobody up.
pub(super) const MAX_INLINE_BYTES: usize = 256 << 10;

/// What became of the entry of a save or delete.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Entered {
    /// Nothing: there was none, or nothing changed.
    No,
    Yes,
    /// Nothing changed: the history stands elsewhere than was thought.
    Moved,
}

impl Entered {
    pub(super) fn of(answer: &Answer, column: usize) -> Result<Self, Problem> {
        Ok(match answer.row()?.int(column)? {
            Some(1) => Self::Yes,
            Some(2) => Self::Moved,
            _ => Self::No,
        })
    }
}

/// What a save found when it was over.
struct Found {
    /// Whether the lease was ours when it began.
    holds: bool,
    revision: Option<(u64, Option<WriteId>)>,
    entered: Entered,
}

impl Found {
    fn of(answer: &Answer) -> Result<Self, Problem> {
        let row = answer.row()?;
        let version = row.int(1)?.map(|version| u64::try_from(version).unwrap_or(0));
        let write_id = row::text(row, 2)?.and_then(|text| text.trim_end().parse().ok());
        let holds = row.int(0)? == Some(1);
        let revision = version.map(|version| (version, write_id));
        Ok(Self { holds, revision, entered: Entered::of(answer, 3)? })
    }

    /// Whether what is there is what was to be saved.
    fn is(&self, revision: Revision) -> bool {
        self.revision.is_some_and(|(_, found)| found == Some(revision.write_id))
    }
}

impl Records {
    pub(super) async fn save(
        &self,
        lease: &Lease,
        write: &Write,
        release: bool,
    ) -> Result<(), Error> {
        let attempt = Attempt::of(lease).ok_or_else(|| self.lost(lease))?;
        for _ in 0..TRIES {
            let standing = attempt.standing();
            let next = self.entry_of(write, &attempt, &standing).await;
            if self.save_once(lease, write, release, &standing, next.as_ref()).await? {
                self.prune_behind(lease.key(), next.as_ref()).await;
                return Ok(());
            }
            self.look_again(lease, &attempt).await?;
        }
        let problem = Problem::HistoryMoves;
        Err(self.failed(Some(lease.key()), "save", problem.into()))
    }

    /// The entry of a save, where a history is kept.
    async fn entry_of(
        &self,
        write: &Write,
        attempt: &Arc<Attempt>,
        standing: &Standing,
    ) -> Option<Next> {
        self.retention?;
        let at = standing.now();
        let made = move |write: &Write, attempt: &Attempt, head: Option<&Head>| {
            let saved = Saved {
                event: write.action.into(),
                record: &write.record,
                expected: write.expected,
                replaced: write.replaced.as_ref(),
            };
            Next::save(head, &saved, attempt.origin(at))
        };
        if write.record.state.len() <= MAX_INLINE_BYTES {
            return Some(made(write, attempt, standing.head.as_ref()));
        }
        let (write, attempt, head) = (write.clone(), Arc::clone(attempt), standing.head.clone());
        Some(off_thread(move || made(&write, &attempt, head.as_ref())).await)
    }

    /// Sends a save. `false` if the history stands elsewhere than was thought.
    async fn save_once(
        &self,
        lease: &Lease,
        write: &Write,
        release: bool,
        standing: &Standing,
        next: Option<&Next>,
    ) -> Result<bool, Error> {
        let (key, record) = (lease.key(), &write.record);
        let attempt = Attempt::of(lease).ok_or_else(|| self.lost(lease))?;
        let refused =
            |problem: BoxError| Error::backend(Some(key), &self.location, "save", problem);
        let values = Values::of(record).map_err(refused)?;
        // With a history that is what the entries of that make.
        let is_apart = next.is_some() && record.state.len() > self.whole_up_to;
        let columns = next.map(|next| Columns::of(standing.head.as_ref(), next)).transpose();
        let columns = columns.map_err(|problem| refused(problem.into()))?;
        let (write_id, expected_id) = (
            record.revision.write_id.to_string(),
            write.expected.map(|expected| expected.write_id.to_string()),
        );
        let ttl = write.ttl.filter(|ttl| *ttl <= LONGEST_TTL).map(micros);
        let mut arguments = vec![
            key.user_id().into(),
            key.session_id().into(),
            attempt.id.as_str().into(),
            release.into(),
            write.expected.map(|expected| number(expected.version)).into(),
            expected_id.as_deref().into(),
            number(record.revision.version).into(),
            write_id.as_str().into(),
            (&*record.schema_version).into(),
            record.state_type.as_deref().into(),
            (&*record.metadata.llm_provider).into(),
            (&*record.metadata.llm_model).into(),
            values.phase.into(),
            attempt.by.as_str().into(),
            ttl.into(),
            values.checksum.as_deref().into(),
            values.metadata.as_str().into(),
            (!is_apart).then_some(values.state).into(),
        ];
        let keyframe = is_apart.then_some(values.state);
        arguments.extend(of_entry(next.zip(columns.as_ref()), keyframe));
        let script = if write.expected.is_some() { Script::Save } else { Script::Create };
        let answer = self.ask(script, &arguments, values.state.len()).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) if failure.is_doubtful => {
                return Err(self.in_doubt(lease, write, failure.problem));
            }
            Err(failure) => return Err(self.failed(Some(key), "save", failure)),
        };
        let found = Found::of(&answer).map_err(|problem| self.in_doubt(lease, write, problem))?;
        if let (Entered::Yes, Some(next)) = (found.entered, next) {
            attempt.stands_at(next.head.clone());
        }
        let is_done = self.outcome(lease, write, &answer, &found)?;
        if is_done {
            self.known.put(KnownRecord { record: record.clone(), is_apart });
        }
        Ok(is_done)
    }

    /// What an answer means. `false` if the history stands elsewhere than was thought.
    fn outcome(
        &self,
        lease: &Lease,
        write: &Write,
        answer: &Answer,
        found: &Found,
    ) -> Result<bool, Error> {
        if found.is(write.record.revision) {
            return Ok(true);
        }
        if !found.holds {
            // An earlier try may have saved and released, and somebody saved over it since.
            let lost = self.lost(lease);
            return Err(if answer.is_doubtful { self.in_doubt(lease, write, lost) } else { lost });
        }
        // The lease is ours: what an earlier try saved would still be there.
        if found.entered == Entered::Moved {
            return Ok(false);
        }
        let expected = write.expected.map_or(0, |expected| expected.version);
        let there = found.revision.map_or(0, |(version, _)| version);
        Err(Error::conflict(lease.key(), &self.location, expected, there))
    }

    /// Where a history stands that went on under a lease.
    pub(super) async fn look_again(&self, lease: &Lease, attempt: &Attempt) -> Result<(), Error> {
        let standing = self.standing(lease.key()).await;
        let failed = |failure| self.failed(Some(lease.key()), "read the history of", failure);
        attempt.stands(standing.map_err(failed)?.0);
        Ok(())
    }

    /// Lets go of what need not stay, as soon as there is a new keyframe. The save counts anyway.
    async fn prune_behind(&self, key: &StateKey, next: Option<&Next>) {
        let is_due = next.is_some_and(|next| next.entry.kind == Kind::Keyframe);
        let Some(retention) =
            self.retention_of(key).filter(|kept| is_due && *kept != Retention::All)
        else {
            return;
        };
        if let Err(error) = self.prune_history(key, retention).await {
            tracing::warn!(%key, %error, "a history was not pruned");
        }
    }

    fn in_doubt(&self, lease: &Lease, write: &Write, source: impl Into<BoxError>) -> Error {
        let write_id = write.record.revision.write_id;
        Error::outcome_unknown(lease.key(), &self.location, Some(write_id), source)
    }
}

/// What a save binds for its entry in the history, or nothing but nulls. A keyframe of a state that
/// stands in its row is taken from there.
fn of_entry<'a>(
    entered: Option<(&'a Next, &'a Columns<'a>)>,
    keyframe: Option<&'a str>,
) -> [Argument<'a>; 15] {
    let entry = entered.map(|(next, _)| &next.entry);
    let columns = entered.map(|(_, columns)| columns);
    [
        columns.map(|columns| columns.sequence).into(),
        columns.and_then(|columns| columns.previous.as_deref()).into(),
        columns.map(|columns| columns.hash.as_str()).into(),
        columns.map(|columns| columns.at).into(),
        entry.map(|entry| entry.event.as_str()).into(),
        columns.map(|columns| columns.process).into(),
        entry.map(|entry| entry.host.as_str()).into(),
        entry.and_then(|entry| entry.actor.as_deref()).into(),
        columns.map(|columns| columns.size).into(),
        entry.and_then(|entry| entry.checksum.as_deref()).into(),
        entry.map(|entry| entry.kind.as_str()).into(),
        columns.and_then(|columns| columns.content.or(keyframe)).into(),
        columns.map(|columns| columns.keyframe_bytes).into(),
        columns.map(|columns| columns.change_bytes).into(),
        columns.map(|columns| columns.changes).into(),
    ]
}

/// What has to be made of a record before it is bound.
struct Values<'a> {
    phase: Option<&'a str>,
    checksum: Option<String>,
    metadata: String,
    state: &'a str,
}

impl<'a> Values<'a> {
    fn of(record: &'a Record) -> Result<Self, BoxError> {
        Ok(Self {
            phase: record.metadata.phase_completed.as_deref(),
            checksum: record.checksum.map(|checksum| checksum.to_string()),
            metadata: serde_json::to_string(&record.metadata)?,
            state: std::str::from_utf8(&record.state).map_err(|_| Problem::NotText)?,
        })
    }
}

/// A version as databases count: none is greater.
fn number(version: u64) -> i64 {
    i64::try_from(version.min(MAX_VERSION)).unwrap_or(i64::MAX)
}
