//! Saving and deleting: a compare-and-set under a lease, as one step of the server's.
//!
//! What is compared is how a value begins, up to the write id: no two saves share that, and the
//! value itself, which may be large, need not be looked through. Another program's value has no
//! write id; it is compared as a whole.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

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

/// What lies beyond is for ever: longer times are not numbers that a script can count with.
const LONGEST_TTL: Duration = Duration::from_secs(100_000 * 366 * 24 * 60 * 60);

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
            let said = match self.word(&save.request(self, &expected)).await {
                Ok(said) => said,
                Err(failure) => {
                    let is_doubtful = is_doubtful || failure.is_doubtful;
                    return Err(self.not_saved(&save, is_doubtful, failure.problem));
                }
            };
            is_doubtful |= said.is_doubtful;
            match &*said.word {
                "done" => {
                    self.remember(&write.record, &save.document);
                    return Ok(());
                }
                // An earlier try may have saved and released, and somebody saved over it since.
                "lost" if is_doubtful => return Err(self.in_doubt(&save, self.lost(lease))),
                "lost" => return Err(self.lost(lease)),
                // What an earlier try saved may have expired, if nobody renewed the lease.
                "stale" if is_doubtful && write.ttl.is_some() => {
                    let looked = self.look(&save, &expected).await;
                    expected = looked.map_err(|error| self.in_doubt(&save, error))?;
                }
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

    pub(super) async fn delete(&self, lease: &Lease) -> Result<bool, Error> {
        let (key, names) = (lease.key(), self.keys.of(lease.key()));
        let (token, attempt) = (lease.token().to_string(), Uuid::new_v4().to_string());
        let request = Request::new().then_script(
            &DELETE,
            &[&names.record, &names.lease, &names.index],
            &[token.as_bytes(), attempt.as_bytes(), key.session_id().as_bytes()],
        );
        self.known.remove(key);
        let in_doubt = |source| Error::outcome_unknown(key, self.location(), None, source);
        match self.word(&request).await {
            Ok(said) if said.word == "done" => Ok(true),
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
        let ttl =
            self.write.ttl.filter(|ttl| *ttl <= LONGEST_TTL).map_or_else(String::new, whole_millis);
        let mut keys = vec![&*names.record, &names.lease, &names.index];
        let mut arguments = vec![
            token.as_bytes(),
            &self.beginning,
            expected.beginning(),
            length.as_bytes(),
            if self.release { b"1" } else { b"0" },
            self.lease.key().session_id().as_bytes(),
            write_id.as_bytes(),
            ttl.as_bytes(),
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

/// In whole milliseconds, rounded up: no time at all would be refused.
fn whole_millis(ttl: Duration) -> String {
    (ttl + Duration::from_nanos(999_999)).as_millis().max(1).to_string()
}
