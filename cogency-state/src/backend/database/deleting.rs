//! Deleting, under a lease, as one step of the server's, with its entry in the history.

use super::dialect::Script;
use super::entry::Columns;
use super::leases::Attempt;
use super::problem::Problem;
use super::records::Records;
use super::saving::{Entered, TRIES};
use crate::backend::Lease;
use crate::error::{BoxError, Error};
use crate::history::{Event, Next};
use crate::record::WriteId;

impl Records {
    pub(super) async fn delete(&self, lease: &Lease) -> Result<bool, Error> {
        let attempt = Attempt::of(lease).ok_or_else(|| self.lost(lease))?;
        // The same for each try.
        let deletion = WriteId::generate();
        self.known.remove(lease.key());
        for _ in 0..TRIES {
            if let Some(deleted) = self.delete_once(lease, &attempt, deletion).await? {
                return Ok(deleted);
            }
            self.look_again(lease, &attempt).await?;
        }
        let problem = Problem::HistoryMoves;
        Err(self.failed(Some(lease.key()), "delete", problem.into()))
    }

    /// Sends a delete. `None` if the history stands elsewhere than was thought.
    async fn delete_once(
        &self,
        lease: &Lease,
        attempt: &Attempt,
        deletion: WriteId,
    ) -> Result<Option<bool>, Error> {
        let key = lease.key();
        let id = deletion.to_string();
        let standing = attempt.standing();
        let head = standing.head.as_ref();
        let next = self
            .retention
            .map(|_| Next::gone(head, key, &Event::Delete, &id, attempt.origin(standing.now())));
        let columns = next.as_ref().map(|next| Columns::of(head, next)).transpose();
        let columns = columns.map_err(|p| self.failed(Some(key), "delete", p.into()))?;
        let (entry, columns) = (next.as_ref().map(|next| &next.entry), columns.as_ref());
        let arguments = [
            key.user_id().into(),
            key.session_id().into(),
            attempt.id.as_str().into(),
            id.as_str().into(),
            columns.map(|columns| columns.sequence).into(),
            columns.and_then(|columns| columns.previous.as_deref()).into(),
            columns.map(|columns| columns.hash.as_str()).into(),
            columns.map(|columns| columns.at).into(),
            entry.map(|entry| entry.event.as_str()).into(),
            columns.map(|columns| columns.process).into(),
            entry.map(|entry| entry.host.as_str()).into(),
            columns.map(|columns| columns.version).into(),
        ];
        let in_doubt = |source| Error::outcome_unknown(key, &self.location, None, source);
        let answer = match self.ask(Script::Delete, &arguments, 0).await {
            Ok(answer) => answer,
            Err(failure) if failure.is_doubtful => return Err(in_doubt(failure.problem.into())),
            Err(failure) => return Err(self.failed(Some(key), "delete", failure)),
        };
        let found = answer.row().and_then(|row| Ok((row.int(0)?, row.int(1)?)));
        let entered = Entered::of(&answer, 2).map_err(|problem| in_doubt(problem.into()))?;
        if let (Entered::Yes, Some(next)) = (entered, next) {
            attempt.stands_at(next.head);
        }
        match found {
            Ok((Some(1), Some(1))) => Ok(Some(true)),
            Ok((Some(1), _)) if entered == Entered::Moved => Ok(None),
            Ok((Some(1), _)) => Ok(Some(false)),
            Ok(_) if answer.is_doubtful => Err(in_doubt(BoxError::from(self.lost(lease)))),
            Ok(_) => Err(self.lost(lease)),
            Err(problem) => Err(in_doubt(problem.into())),
        }
    }
}
