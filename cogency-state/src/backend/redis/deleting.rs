//! Deleting, under a lease, as one step of the server's, with its entry in the history.

use super::TRIES;
use super::claim::Attempt;
use super::entry::Written;
use super::index::NO_AGE;
use super::problem::{Failure, Problem};
use super::records::{Records, Said};
use super::request::Request;
use super::scripts::DELETE;
use crate::backend::Lease;
use crate::error::{BoxError, Error};
use crate::history::{Event, Next};
use crate::record::WriteId;

impl Records {
    pub(super) async fn delete(&self, lease: &Lease) -> Result<bool, Error> {
        let note = self.note_of(lease.key()).await;
        let note = note.map_err(|failure| self.failed(Some(lease.key()), "delete", failure))?;
        let was_there = self.delete_record(lease).await?;
        if let Some(note) = note {
            self.forget(&[(lease.key(), &note)], NO_AGE).await;
        }
        Ok(was_there)
    }

    async fn delete_record(&self, lease: &Lease) -> Result<bool, Error> {
        let attempt = self.attempt(lease)?;
        // The same for each try.
        let deletion = WriteId::generate().to_string();
        self.known.remove(lease.key());
        let (mut is_doubtful, mut is_cut) = (false, false);
        for _ in 0..=TRIES {
            let entry =
                if is_cut { None } else { self.deletion_noted(lease, &attempt, &deletion).await? };
            let request = self.deletion(&attempt, &deletion, entry.as_ref());
            let said = match self.word(&request).await {
                Ok(said) => said,
                Err(failure) => return Err(self.not_deleted(lease, is_doubtful, failure)),
            };
            is_doubtful |= said.is_doubtful;
            if said.word == "moved" {
                // Had an earlier try deleted it, the answer would be `again`.
                attempt.found_moved();
                continue;
            }
            if said.word == "cut" {
                tracing::warn!(
                    key = %lease.key(),
                    "deleted with its history, whose newest entry was removed"
                );
                is_cut = true;
                continue;
            }
            // Where it stands now is seen by whoever goes on with it.
            attempt.found_moved();
            return self.deleted(lease, &attempt, &deletion, said, is_doubtful).await;
        }
        Err(self.failed(Some(lease.key()), "delete", Problem::HistoryMoves.into()))
    }

    /// The entry of a delete, where a history is kept that can be gone on with.
    async fn deletion_noted(
        &self,
        lease: &Lease,
        attempt: &Attempt,
        deletion: &str,
    ) -> Result<Option<Written>, Error> {
        let key = lease.key();
        let noted = self.noted(key, attempt, |head, origin| {
            Next::gone(head, key, &Event::Delete, deletion, origin)
        });
        match noted.await {
            Err(error @ Error::HistoryBroken { .. }) => {
                tracing::warn!(%key, %error, "deleted with its history, which cannot be gone on with");
                Ok(None)
            }
            noted => noted,
        }
    }

    fn deletion(&self, attempt: &Attempt, deletion: &str, entry: Option<&Written>) -> Request {
        let noted = Written::arguments(entry);
        let is_broken = entry.is_none() && self.retention.is_some();
        let mut keys = vec![attempt.record(), attempt.lease_name(), attempt.history()];
        keys.extend(is_broken.then(|| attempt.contents()));
        let request = Request::new().then_script(
            &DELETE,
            &keys,
            &[
                attempt.id().as_bytes(),
                deletion.as_bytes(),
                &noted.entry,
                &noted.id,
                &noted.before,
                &noted.newest,
                if is_broken { b"1" } else { b"0" },
            ],
        );
        self.and_wait(request)
    }

    /// What the answer to a delete means.
    async fn deleted(
        &self,
        lease: &Lease,
        attempt: &Attempt,
        deletion: &str,
        said: Said,
        is_doubtful: bool,
    ) -> Result<bool, Error> {
        let in_doubt = |source| self.deletion_in_doubt(lease, source);
        match &*said.word {
            "done" => said.replicated.map(|()| true).map_err(|problem| in_doubt(problem.into())),
            // An earlier try of it did it.
            "again" => {
                let replicated = self.replicated_again(attempt.record(), deletion).await;
                replicated.map(|()| true).map_err(|problem| in_doubt(problem.into()))
            }
            "none" => Ok(false),
            _ if is_doubtful => Err(in_doubt(BoxError::from(self.lost(lease)))),
            _ => Err(self.lost(lease)),
        }
    }

    fn not_deleted(&self, lease: &Lease, is_doubtful: bool, failure: Failure) -> Error {
        if is_doubtful || failure.is_doubtful {
            return self.deletion_in_doubt(lease, failure.problem.into());
        }
        self.failed(Some(lease.key()), "delete", failure)
    }

    fn deletion_in_doubt(&self, lease: &Lease, source: BoxError) -> Error {
        Error::outcome_unknown(lease.key(), self.location(), None, source)
    }
}
