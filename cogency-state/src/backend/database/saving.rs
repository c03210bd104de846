//! Saving and deleting: a compare-and-set under a lease, as one step of the server's.

use std::time::Duration;

use uuid::Uuid;

use super::dialect::Script;
use super::leases::{Attempt, micros};
use super::problem::Problem;
use super::records::{Answer, Records};
use super::row;
use crate::backend::{Lease, Write};
use crate::error::{BoxError, Error};
use crate::record::{MAX_VERSION, Record, Revision, WriteId};

/// What lies beyond is for ever: the year 9999 is the last that each database can write.
const LONGEST_TTL: Duration = Duration::from_secs(7_000 * 366 * 24 * 60 * 60);

/// What a save found when it was over.
struct Found {
    /// Whether the lease was ours when it began.
    holds: bool,
    revision: Option<(u64, Option<WriteId>)>,
}

impl Found {
    fn of(answer: &Answer) -> Result<Self, Problem> {
        let row = answer.row()?;
        let version = row.int(1)?.map(|version| u64::try_from(version).unwrap_or(0));
        let write_id = row::text(row, 2)?.and_then(|text| text.trim_end().parse().ok());
        let holds = row.int(0)? == Some(1);
        Ok(Self { holds, revision: version.map(|version| (version, write_id)) })
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
        let (key, record) = (lease.key(), &write.record);
        let attempt = Attempt::of(lease).ok_or_else(|| self.lost(lease))?;
        let values = Values::of(record)
            .map_err(|error| Error::backend(Some(key), &self.location, "save", error))?;
        let (write_id, expected_id) = (
            record.revision.write_id.to_string(),
            write.expected.map(|expected| expected.write_id.to_string()),
        );
        let ttl = write.ttl.filter(|ttl| *ttl <= LONGEST_TTL).map(micros);
        let arguments = [
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
            values.state.into(),
        ];
        let answer = self.ask(Script::Save, &arguments, values.state.len()).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) if failure.is_doubtful => {
                return Err(self.in_doubt(lease, write, failure.problem));
            }
            Err(failure) => return Err(self.failed(Some(key), "save", failure)),
        };
        match Found::of(&answer) {
            Ok(found) if found.is(record.revision) => Ok(()),
            // An earlier try may have saved and released, and somebody saved over it since.
            Ok(found) if !found.holds && answer.is_doubtful => {
                Err(self.in_doubt(lease, write, self.lost(lease)))
            }
            Ok(found) if !found.holds => Err(self.lost(lease)),
            // The lease is ours: what an earlier try saved would still be there.
            Ok(found) => {
                let expected = write.expected.map_or(0, |expected| expected.version);
                let there = found.revision.map_or(0, |(version, _)| version);
                Err(Error::conflict(key, &self.location, expected, there))
            }
            Err(problem) => Err(self.in_doubt(lease, write, problem)),
        }
    }

    fn in_doubt(&self, lease: &Lease, write: &Write, source: impl Into<BoxError>) -> Error {
        let write_id = write.record.revision.write_id;
        Error::outcome_unknown(lease.key(), &self.location, Some(write_id), source)
    }

    pub(super) async fn delete(&self, lease: &Lease) -> Result<bool, Error> {
        let key = lease.key();
        let attempt = Attempt::of(lease).ok_or_else(|| self.lost(lease))?;
        let deletion = Uuid::new_v4().to_string();
        let arguments = [
            key.user_id().into(),
            key.session_id().into(),
            attempt.id.as_str().into(),
            deletion.as_str().into(),
        ];
        let in_doubt = |source| Error::outcome_unknown(key, &self.location, None, source);
        let answer = match self.ask(Script::Delete, &arguments, 0).await {
            Ok(answer) => answer,
            Err(failure) if failure.is_doubtful => return Err(in_doubt(failure.problem.into())),
            Err(failure) => return Err(self.failed(Some(key), "delete", failure)),
        };
        let found = answer.row().and_then(|row| Ok((row.int(0)?, row.int(1)?)));
        match found {
            Ok((Some(1), deleted)) => Ok(deleted == Some(1)),
            Ok(_) if answer.is_doubtful => Err(in_doubt(BoxError::from(self.lost(lease)))),
            Ok(_) => Err(self.lost(lease)),
            Err(problem) => Err(in_doubt(problem.into())),
        }
    }
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
