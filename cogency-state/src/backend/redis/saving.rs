//! Saving and deleting: a compare-and-set under a lease, as one step of the server's.
//!
//! What is compared is how a value begins, up to the write id: no two saves share that, and the
//! value itself, which may be large, need not be looked through. Another program's value has no
//! write id; it is compared as a whole.

use bytes::Bytes;
use uuid::Uuid;

use super::index::NO_AGE;
use super::problem::Problem;
use super::records::{INLINE_BYTES, Records};
use super::request::Request;
use super::scripts::{DELETE, SAVE};
use crate::backend::{Lease, Write};
use crate::envelope;
use crate::error::{BoxError, Error};
use crate::record::{Record, version_of};

/// How long a large value waits for the script that puts it in place, in milliseconds. The script
/// comes right behind it.
const TEMPORARY_MILLIS: u64 = 60_000;

/// What must be there for a save to happen.
enum Expected {
    Nothing,
    /// A value that begins so.
    Beginning(Vec<u8>),
    /// This value.
    Whole(Bytes),
}

impl Expected {
    fn of(write: &Write) -> Result<Self, Error> {
        let beginning = |revision| envelope::beginning(&write.record.key, revision);
        Ok(match write.expected {
            None => Self::Nothing,
            Some(revision) => Self::Beginning(beginning(revision)?),
        })
    }

    fn is(&self, document: &Bytes) -> bool {
        matches!(self, Self::Whole(expected) if expected == document)
    }

    fn beginning(&self) -> &[u8] {
        match self {
            Self::Nothing => &[],
            Self::Beginning(bytes) => bytes,
            Self::Whole(bytes) => bytes,
        }
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
        let save = Save::new(lease, write, release)?;
        let mut expected = Expected::of(write)?;
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
                    let (names, id) = (self.keys.of(lease.key()), write.record.revision.write_id);
                    return self.saved(&save, self.replicated_again(&names, id).await);
                }
                // An earlier try may have saved and released, and somebody saved over it since.
                "lost" if is_doubtful => return Err(self.in_doubt(&save, self.lost(lease))),
                "lost" => return Err(self.lost(lease)),
                // The lease is ours: what an earlier try saved would still be there.
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
        self.remember(&save.write.record, &save.document);
        replicated.map_err(|problem| self.in_doubt(save, problem))
    }

    fn not_saved(&self, save: &Save<'_>, is_doubtful: bool, problem: Problem) -> Error {
        match problem {
            Problem::NoRuntime => Error::NoRuntime,
            problem if is_doubtful => self.in_doubt(save, problem),
            problem => Error::backend(Some(save.lease.key()), self.location(), "save", problem),
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
        if self.network.is_one_slot() || matches!(expected, Expected::Beginning(_)) {
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
        let (key, names) = (lease.key(), self.keys.of(lease.key()));
        let (token, attempt) = (lease.token().to_string(), Uuid::new_v4().to_string());
        let request = Request::new().then_script(
            &DELETE,
            &[&names.record, &names.lease],
            &[token.as_bytes(), attempt.as_bytes()],
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
                let replicated = self.replicated_again(&names, &attempt).await;
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
    write: &'a Write,
    release: bool,
    document: Bytes,
    /// How the document begins.
    beginning: Vec<u8>,
}

impl<'a> Save<'a> {
    fn new(lease: &'a Lease, write: &'a Write, release: bool) -> Result<Self, Error> {
        let document = write.record.to_json()?;
        let beginning = envelope::beginning(&write.record.key, write.record.revision)?;
        Ok(Self { lease, write, release, document, beginning })
    }

    fn request(&self, records: &Records, expected: &Expected) -> Request {
        let names = records.keys.of(self.lease.key());
        let token = self.lease.token().to_string();
        let (length, write_id) = (expected.length(), self.write.record.revision.write_id);
        let (temporary, write_id) = (names.temporary(write_id), write_id.to_string());
        let mut keys = vec![&*names.record, &names.lease];
        let mut session = "";
        if records.network.is_one_slot() {
            keys.push(&names.index);
            session = self.lease.key().session_id();
        }
        let mut arguments = vec![
            token.as_bytes(),
            &self.beginning,
            expected.beginning(),
            length.as_bytes(),
            if self.release { b"1" } else { b"0" },
            session.as_bytes(),
            write_id.as_bytes(),
        ];
        if self.document.len() <= INLINE_BYTES {
            arguments.push(&self.document);
            return Request::new().then_script(&SAVE, &keys, &arguments);
        }
        keys.push(&temporary);
        let mut ahead = redis::cmd("SET");
        ahead.arg(&temporary).arg(&*self.document).arg("PX").arg(TEMPORARY_MILLIS);
        Request::one(ahead).then_script(&SAVE, &keys, &arguments).of_bytes(self.document.len())
    }
}
