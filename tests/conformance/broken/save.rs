//! What can go wrong with a save.

use std::time::Duration;

use cogency_state::{Error, Lease, Record, Revision, StateBackend, Write};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::Broken;
use crate::fault::Fault;

const NAME: &str = "broken:";

impl Broken {
    /// A save with whatever mistake there is.
    pub(super) async fn save(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        let key = lease.key();
        let found = self.inner.load_state(&self.place(key)).await?;
        let mut write = write.clone();
        let found_revision = found.as_ref().map(|record| record.revision);
        if self.has(Fault::NotesRefusedSaves) && !write.may_replace(found_revision) {
            self.note_write(key, &write);
        }
        if let Some(answer) = self.answer_instead(lease, &write, found.as_ref()) {
            return answer;
        }
        self.alter(&mut write);
        self.meddle(lease, &write.record, found.as_ref()).await?;
        if self.forces(lease, &write, found.as_ref()).await {
            self.force(key, write.record.clone(), write.ttl).await?;
        } else {
            self.inner.save_state(&Self::inside(lease).lease, &write).await?;
        }
        self.note_saved(key, found, &write);
        Ok(())
    }

    /// The answer of a backend that does not even try.
    fn answer_instead(
        &self,
        lease: &Lease,
        write: &Write,
        found: Option<&Record>,
    ) -> Option<Result<(), Error>> {
        let key = lease.key();
        let (state, write_id) = (&write.record.state, write.record.revision.write_id);
        let found = found.map(|record| record.revision);
        let is_repeat = found.is_some_and(|found| found.write_id == write_id);
        let is_conflict = !write.may_replace(found);
        let text = || String::from_utf8_lossy(state).into_owned();
        let failure = match self.fault {
            Some(Fault::KeepsTheFirstRecord) if write.expected.is_some() => return Some(Ok(())),
            Some(Fault::RemembersWriteIdsForever) if self.notes().writes.contains(&write_id) => {
                return Some(Ok(()));
            }
            Some(Fault::RefusesRepeatedSaves) if is_repeat => Error::conflict(key, NAME, 0, 1),
            Some(Fault::ExpiredRecordsAreInTheWay)
                if write.expected.is_none() && self.left(key) == Some(Duration::ZERO) =>
            {
                Error::conflict(key, NAME, 0, 1)
            }
            Some(Fault::ExpiresUnderTheHolder) if self.left(key) == Some(Duration::ZERO) => {
                Error::conflict(key, NAME, 1, 0)
            }
            Some(Fault::RefusesStatesAbove16Mib) if state.len() > 16 << 20 => {
                Error::backend(Some(key), NAME, "save", "too large")
            }
            Some(Fault::RunningOutIsLosing) if self.has_run_out(lease) => {
                Error::lease_lost(key, NAME, lease.token())
            }
            Some(Fault::ErrorsQuoteStates) if is_conflict => Error::corrupt(key, NAME, text()),
            Some(Fault::SourcesQuoteStates) if is_conflict => {
                let source = std::io::Error::other(std::io::Error::other(text()));
                Error::backend(Some(key), NAME, "save", source)
            }
            Some(Fault::SavesOverDamage) => return None,
            _ if self.notes().damaged.contains(key) => Error::corrupt(key, NAME, "it is damaged"),
            _ => return None,
        };
        Some(Err(failure))
    }

    /// Changes what is written.
    fn alter(&self, write: &mut Write) {
        let left = self.left(&write.record.key);
        let record = &mut write.record;
        match self.fault {
            Some(Fault::IgnoresTtls) => write.ttl = None,
            Some(Fault::ExpiresEarly) => write.ttl = write.ttl.map(|ttl| ttl / 4),
            Some(Fault::TtlsStick) => write.ttl = write.ttl.or(left),
            Some(Fault::TtlsBeginOnce) => write.ttl = left.or(write.ttl),
            Some(Fault::LosesCustomMetadata) => record.metadata.custom.clear(),
            Some(Fault::LosesBlobIds) => record.metadata.blob_ids = None,
            Some(Fault::CutsStatesAt4Mib) => record.state.truncate(4 << 20),
            Some(Fault::ReformatsJson) => {
                let value: serde_json::Value = serde_json::from_slice(&record.state).unwrap();
                record.state = value.to_string().into();
            }
            Some(Fault::TurnsNestedMetadataIntoText) => {
                let values = record.metadata.custom.iter_mut().map(|(_, value)| value);
                values.filter(|value| value.is_object()).for_each(|v| *v = v.to_string().into());
            }
            Some(Fault::KeepsVersionsAsDoubles) => {
                let revisions = [Some(&mut record.revision), write.expected.as_mut()];
                for revision in revisions.into_iter().flatten() {
                    revision.version = as_double(revision.version);
                }
            }
            _ => {}
        }
    }

    /// Does something beside the save, or long after it was begun.
    async fn meddle(
        &self,
        lease: &Lease,
        record: &Record,
        found: Option<&Record>,
    ) -> Result<(), Error> {
        let key = lease.key().clone();
        match self.fault {
            Some(Fault::RemembersWriteIdsForever) => {
                self.notes().writes.push(record.revision.write_id);
            }
            Some(Fault::SavesInTwoSteps) => {
                let mut half = found.unwrap_or(record).clone();
                half.metadata = record.metadata.clone();
                self.notes().shown.insert(key.clone(), half);
                sleep(Duration::from_millis(1)).await;
                self.notes().shown.remove(&key);
            }
            Some(Fault::DroppedSaveComesLate) => {
                let (this, record) = (self.clone(), record.clone());
                let late = tokio::spawn(async move {
                    // In the middle of the time for which the check looks.
                    sleep(Duration::from_millis(60)).await;
                    this.force(&key, record, None).await
                });
                late.await.unwrap()?;
            }
            Some(Fault::DroppedSaveBlocks) => {
                if !self.notes().busy.insert(key.clone()) {
                    std::future::pending::<()>().await;
                }
                yield_now().await;
                self.notes().busy.remove(&key);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether to save whatever lease and version there are.
    async fn forces(&self, lease: &Lease, write: &Write, found: Option<&Record>) -> bool {
        let key = lease.key();
        let version = |revision: Option<Revision>| revision.map(|revision| revision.version);
        match self.fault {
            Some(Fault::LastWriterWins) => true,
            Some(Fault::FirstSavesReplaceRecords) => write.expected.is_none(),
            Some(Fault::SavesOverNothing) => found.is_none(),
            Some(Fault::SavesOverDamage) => self.notes().damaged.contains(key),
            Some(Fault::ComparesVersionsOnly) => {
                version(write.expected) == version(found.map(|record| record.revision))
            }
            Some(Fault::ReleasedLeasesSave) => !self.is_held(key).await,
            Some(Fault::OldTokensSave) => {
                Self::inside(lease).lease.token() < self.notes().newest[key]
            }
            _ => false,
        }
    }
}

/// What is left of a number that went through JavaScript or Lua.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
fn as_double(version: u64) -> u64 {
    version as f64 as u64
}
