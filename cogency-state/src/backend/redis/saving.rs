//! Saving and deleting: a compare-and-set under a lease, as one step of the server's.
//!
//! What is compared is how a value begins, up to the write id: no two saves share that, and the
//! value itself, which may be large, need not be looked through. Another program's value has no
//! write id; it is compared as a whole.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::claim::Attempt;
use super::index::NO_AGE;
use super::known::{Known, KnownRecord};
use super::problem::Problem;
use super::records::Records;
use super::request::{INLINE_BYTES, Request, command};
use super::scripts::{DELETE, SAVE};
use crate::backend::{Lease, Write};
use crate::envelope;
use crate::error::{BoxError, Error};
use crate::record::{Record, version_of};

/// A larger value goes ahead of the script and is renamed by it: the server looks at each byte of
/// what it gives a script.
const SCRIPT_BYTES: usize = 2 << 10;

/// How long a large value waits for the script that puts it in place, in milliseconds. The script
/// comes right behind it.
const TEMPORARY_MILLIS: u64 = 60_000;

/// What lies beyond is for ever: longer times are not numbers that the server can count with.
pub(super) const LONGEST_TTL: Duration = Duration::from_secs(100_000 * 366 * 24 * 60 * 60);

/// What must be there for a save to happen.
enum Expected {
    Nothing,
    /// A value that begins so.
    Beginning(Bytes),
    /// This value.
    Whole(Bytes),
}

impl Expected {
    fn of(write: &Write, known: &Known) -> Result<Self, Error> {
        let Some(revision) = write.expected else { return Ok(Self::Nothing) };
        Ok(Self::Beginning(match known.get(&write.record.key) {
            Some(known) if known.record.revision == revision => known.beginning,
            _ => envelope::beginning(&write.record.key, revision)?.into(),
        }))
    }

    fn is(&self, document: &Bytes) -> bool {
        matches!(self, Self::Whole(expected) if expected == document)
    }

    fn beginning(&self) -> &[u8] {
        match self {
            Self::Nothing => &[],
            Self::Beginning(bytes) | Self::Whole(bytes) => bytes,
        }
    }

    /// Whether the save makes a record, or makes one of another program's.
    fn makes_a_record(&self) -> bool {
        !matches!(self, Self::Beginning(_))
    }

    /// The length of the value, as the script takes it.
    fn length(&self) -> String {
        match self {
            Self::Whole(bytes) => bytes.len().to_string(),
            _ => "-1".to_owned(),
        }
    }
}

impl Records {
    pub(super) async fn save(
        &self,
        lease: &Lease,
        write: &Write,
        release: bool,
    ) -> Result<(), Error> {
        let attempt = self.attempt(lease)?;
        let save = Save::new(lease, &attempt, write, release)?;
        // Also where the answer is lost.
        attempt.saves(write.ttl.is_some());
        let mut expected = Expected::of(write, &self.known)?;
        let mut is_doubtful = false;
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
                "done" => return self.saved(&save, said.replicated),
                // An earlier try of it did it.
                "again" => {
                    let id = write.record.revision.write_id;
                    return self.saved(&save, self.replicated_again(attempt.record(), id).await);
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
            Some(document) => Some(Record::from_json(key, self.location(), document)?.revision),
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

    /// A save that has happened. Whether it stays where a replica takes over is another question.
    fn saved(&self, save: &Save<'_>, replicated: Result<(), Problem>) -> Result<(), Error> {
        let record = save.write.record.clone();
        self.known.put(KnownRecord::new(record, save.beginning.clone(), &save.document));
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

    pub(super) async fn delete(&self, lease: &Lease) -> Result<bool, Error> {
        let note = self.noted(lease.key()).await;
        let note = note.map_err(|failure| self.failed(Some(lease.key()), "delete", failure))?;
        let was_there = self.delete_record(lease).await?;
        if let Some(note) = note {
            self.forget(&[(lease.key(), &note)], NO_AGE).await;
        }
        Ok(was_there)
    }

    async fn delete_record(&self, lease: &Lease) -> Result<bool, Error> {
        let key = lease.key();
        let (attempt, deletion) = (self.attempt(lease)?, Uuid::new_v4().to_string());
        let request = Request::new().then_script(
            &DELETE,
            &[attempt.record(), attempt.lease_name()],
            &[attempt.id().as_bytes(), deletion.as_bytes()],
        );
        let request = self.and_wait(request);
        self.known.remove(key);
        let in_doubt = |source| Error::outcome_unknown(key, self.location(), None, source);
        match self.word(&request).await {
            Ok(said) if said.word == "done" => {
                said.replicated.map(|()| true).map_err(|problem| in_doubt(problem.into()))
            }
            // An earlier try of it did it.
            Ok(said) if said.word == "again" => {
                let replicated = self.replicated_again(attempt.record(), &deletion).await;
                replicated.map(|()| true).map_err(|problem| in_doubt(problem.into()))
            }
            Ok(said) if said.word == "none" => Ok(false),
            Ok(said) if said.is_doubtful => Err(in_doubt(BoxError::from(self.lost(lease)))),
            Ok(_) => Err(self.lost(lease)),
            Err(failure) if failure.is_doubtful => Err(in_doubt(failure.problem.into())),
            Err(failure) => Err(self.failed(Some(key), "delete", failure)),
        }
    }
}

/// One save, on its way.
struct Save<'a> {
    lease: &'a Lease,
    attempt: &'a Attempt,
    write: &'a Write,
    release: bool,
    document: Bytes,
    /// How the document begins.
    beginning: Bytes,
}

impl<'a> Save<'a> {
    fn new(
        lease: &'a Lease,
        attempt: &'a Attempt,
        write: &'a Write,
        release: bool,
    ) -> Result<Self, Error> {
        let document = write.record.to_json()?;
        let beginning = envelope::beginning(&write.record.key, write.record.revision)?.into();
        Ok(Self { lease, attempt, write, release, document, beginning })
    }

    fn request(&self, records: &Records, expected: &Expected) -> Request {
        let write_id = self.write.record.revision.write_id;
        let is_ahead = self.document.len() > SCRIPT_BYTES;
        let ahead = is_ahead.then(|| records.keys.temporary(self.attempt.record(), write_id));
        let is_noted = records.network.is_one_slot() && expected.makes_a_record();
        let index = is_noted.then(|| records.keys.index(self.lease.key().user_id()));

        let mut keys = vec![self.attempt.record(), self.attempt.lease_name()];
        keys.extend(index.as_deref());
        keys.extend(ahead.as_deref());

        let beginnings = [self.attempt.id().as_bytes(), expected.beginning(), &self.beginning];
        let last_bytes = beginnings.map(|bytes| bytes.len().saturating_sub(1).to_string());
        let mut arguments = beginnings.to_vec();
        arguments.extend(last_bytes.iter().map(String::as_bytes));
        arguments.push(if is_ahead { b"" } else { &self.document });
        arguments.push(if self.release { b"1" } else { b"0" });
        let ttl = self.ttl(records).map_or_else(String::new, |millis| millis.to_string());
        arguments.push(ttl.as_bytes());
        let (length, write_id) = (expected.length(), write_id.to_string());
        if expected.makes_a_record() {
            let session = if is_noted { self.lease.key().session_id() } else { "" };
            arguments.extend([length.as_bytes(), session.as_bytes(), write_id.as_bytes()]);
        }

        let prepared = match &ahead {
            None => Request::new(),
            Some(ahead) => {
                let millis = TEMPORARY_MILLIS.to_string();
                let (ahead, millis) = (ahead.as_bytes(), millis.as_bytes());
                Request::one(command(&[b"SET", ahead, &self.document, b"PX", millis]))
            }
        };
        let request = prepared.then_script(&SAVE, &keys, &arguments);
        // Another program's value is sent too.
        let bytes = self.document.len() + expected.beginning().len();
        if bytes > INLINE_BYTES { request.of_bytes(bytes) } else { request }
    }

    /// In how many milliseconds the record expires, rounded up; `None` if it stays. Under a lease
    /// that goes on it lives for as long as that lasts.
    fn ttl(&self, records: &Records) -> Option<u128> {
        let ttl = self.write.ttl.filter(|ttl| *ttl <= LONGEST_TTL)?;
        let least = if self.release { Duration::from_millis(1) } else { records.lease_ttl };
        Some((ttl.max(least) + Duration::from_nanos(999_999)).as_millis())
    }
}
