//! Saving and deleting: a compare-and-set under a lease, as one step of the server's.
//!
//! What is compared is how a value begins, up to the write id: no two saves share that, and the
//! value itself, which may be large, need not be looked through. Another program's value has no
//! write id; it is compared as a whole.

mod expected;
mod request;

use std::sync::Arc;

use self::expected::Expected;
pub(super) use self::request::LONGEST_TTL;
use self::request::Save;
use super::TRIES;
use super::claim::Attempt;
use super::known::{KnownRecord, More};
use super::problem::Problem;
use super::records::Records;
use super::standing::Stands;
use crate::backend::{Lease, Write};
use crate::error::{BoxError, Error};
use crate::record::version_of;

impl Records {
    pub(super) async fn save(
        &self,
        lease: &Lease,
        write: &Write,
        release: bool,
    ) -> Result<(), Error> {
        let attempt = self.attempt(lease)?;
        let mut save = self.prepared(lease, &attempt, write, release).await?;
        // Also where the answer is lost.
        attempt.saves(write.ttl.is_some());
        let mut expected = Expected::of(write, &self.known)?;
        let (mut is_doubtful, mut moves) = (false, 0);
        loop {
            self.note_ahead(lease, write, &expected).await?;
            let request = self.and_wait(save.request(self, &expected));
            let said = match self.word(&request).await {
                Ok(said) => said,
                Err(failure) => {
                    let is_doubtful = is_doubtful || failure.is_doubtful;
                    return Err(self.not_saved(&save, is_doubtful, failure.problem));
                }
            };
            is_doubtful |= said.is_doubtful;
            match &*said.word {
                "done" => return self.saved(&mut save, said.replicated).await,
                // An earlier try of it did it.
                "again" => {
                    let id = write.record.revision.write_id;
                    let replicated = self.replicated_again(attempt.record(), id).await;
                    // Which entry it left is not known.
                    save.entry = None;
                    return self.saved(&mut save, replicated).await;
                }
                // An earlier try may have saved and released, and somebody saved over it since.
                "lost" if is_doubtful => return Err(self.in_doubt(&save, self.lost(lease))),
                "lost" => return Err(self.lost(lease)),
                // What an earlier try saved may have expired, or another program replaced it.
                "stale" if is_doubtful && !release => {
                    let looked = self.look(&save, &expected).await;
                    expected = looked.map_err(|error| self.in_doubt(&save, error))?;
                }
                // An earlier try that saved would have released the lease, or have been answered.
                "stale" => expected = self.look(&save, &expected).await?,
                // Had an earlier try saved, its record would be there, and its answer `again`.
                "moved" if moves < TRIES => {
                    moves += 1;
                    attempt.found_moved();
                    save = self.prepared(lease, &attempt, write, release).await?;
                }
                "moved" => return Err(self.not_saved(&save, is_doubtful, Problem::HistoryMoves)),
                "cut" => {
                    let sequence = save.entry.as_ref().map_or(0, |entry| entry.sequence);
                    return Err(self.cut(lease.key(), sequence));
                }
                "gone" => {
                    let problem = said.ahead.map_or(Problem::Evicted, Problem::from);
                    return Err(self.not_saved(&save, is_doubtful, problem));
                }
                _ => {
                    let strange = Problem::Strange("not what the script for saves gives");
                    return Err(self.not_saved(&save, true, strange));
                }
            }
        }
    }

    /// What else may be expected, where a value does not begin as it should.
    async fn look(&self, save: &Save<'_>, tried: &Expected) -> Result<Expected, Error> {
        let (key, expected) = (save.lease.key(), save.write.expected);
        let document = self.document(key).await?;
        let found = match &document {
            Some(document) => Some(self.revision_of(key, document)?),
            None => None,
        };
        match document {
            Some(document) if found == expected && !tried.is(&document) => {
                Ok(Expected::Whole(document))
            }
            _ => {
                let (expected, found) = (version_of(expected), version_of(found));
                Err(Error::conflict(key, self.location(), expected, found))
            }
        }
    }

    /// A save, with its entry.
    async fn prepared<'a>(
        &self,
        lease: &'a Lease,
        attempt: &'a Arc<Attempt>,
        write: &'a Write,
        release: bool,
    ) -> Result<Save<'a>, Error> {
        let entry = self.save_noted(lease, attempt, write).await?;
        Save::new(lease, attempt, write, release, entry, self.whole_up_to)
    }

    /// A save that has happened. Whether it stays where a replica takes over is another question.
    async fn saved(
        &self,
        save: &mut Save<'_>,
        replicated: Result<(), Problem>,
    ) -> Result<(), Error> {
        let record = save.write.record.clone();
        let entry = save.entry.take();
        let standing = entry.as_ref().map(|entry| entry.standing.clone());
        let stands = standing.clone().map_or(Stands::Unknown, Stands::At);
        save.attempt.knows(stands.clone());
        let more = More {
            entry: entry.as_ref().map(|entry| entry.sequence),
            stands,
            is_immortal: save.write.ttl.is_none(),
            is_shared: save.attempt.is_shared(),
        };
        let mut trail = self.known.take_trail(&record.key);
        if let Some(entry) = &entry {
            trail.follow(entry);
        }
        let known = KnownRecord::new(record, save.beginning.clone(), &save.document);
        self.known.put(known.with(more).behind(trail));
        if let Some(standing) = standing {
            // In a box, so that who prunes nothing does not carry it along.
            Box::pin(self.prune_behind(save.lease.key(), save.attempt, &standing)).await;
        }
        replicated.map_err(|problem| self.in_doubt(save, problem))
    }

    fn not_saved(&self, save: &Save<'_>, is_doubtful: bool, problem: Problem) -> Error {
        match problem {
            Problem::NoRuntime => Error::NoRuntime,
            problem if is_doubtful => self.in_doubt(save, problem),
            problem => problem.into_error(Some(save.lease.key()), self.location(), "save"),
        }
    }

    fn in_doubt(&self, save: &Save<'_>, source: impl Into<BoxError>) -> Error {
        let write_id = save.write.record.revision.write_id;
        Error::outcome_unknown(save.lease.key(), self.location(), Some(write_id), source)
    }

    /// Notes a record in its user's index before it is there, where the script that makes it
    /// cannot do so.
    async fn note_ahead(
        &self,
        lease: &Lease,
        write: &Write,
        expected: &Expected,
    ) -> Result<(), Error> {
        if self.network.is_one_slot() || !expected.makes_a_record() {
            return Ok(());
        }
        let write_id = write.record.revision.write_id.to_string();
        let noted = self.note(lease.key(), &write_id).await;
        noted.map(drop).map_err(|failure| self.failed(Some(lease.key()), "save", failure))
    }
}
