//! Moving rows to a table of their own and back, as one step of the server's, with an entry in the
//! history.

use bytes::Bytes;

use super::dialect::Script;
use super::entry::Columns;
use super::leases::Attempt;
use super::problem::Problem;
use super::records::Records;
use super::row::{self, text};
use super::saving::{Entered, TRIES};
use super::standing::number;
use super::statement::Cells;
use crate::aside::{Aside, AsideId};
use crate::backend::Lease;
use crate::error::Error;
use crate::history::{Back, Next};
use crate::record::{Metadata, version_of};

const SET: &str = "set aside the record of";
const RESTORE: &str = "restore what was set aside of";

impl Records {
    pub(super) async fn set_aside(&self, lease: &Lease, aside: &Aside) -> Result<bool, Error> {
        let attempt = Attempt::of(lease).ok_or_else(|| self.lost(lease))?;
        self.known.remove(lease.key());
        for _ in 0..TRIES {
            if let Some(done) = self.set_aside_once(lease, &attempt, aside).await? {
                return Ok(done);
            }
            self.look_again(lease, &attempt).await?;
        }
        Err(self.failed(Some(lease.key()), SET, Problem::HistoryMoves.into()))
    }

    /// `None` if the history stands elsewhere than was thought.
    async fn set_aside_once(
        &self,
        lease: &Lease,
        attempt: &Attempt,
        aside: &Aside,
    ) -> Result<Option<bool>, Error> {
        let key = lease.key();
        let (id, about) = (aside.id.to_string(), aside.to_json()?);
        let standing = attempt.standing();
        let head = standing.head.as_ref();
        let next = self
            .retention
            .map(|_| Next::aside(head, key, &id, about.clone(), attempt.origin(standing.now())));
        let columns = next.as_ref().map(|next| Columns::of(head, next)).transpose();
        let columns = columns.map_err(|p| self.failed(Some(key), SET, p.into()))?;
        let (entry, columns) = (next.as_ref().map(|next| &next.entry), columns.as_ref());
        let arguments = [
            key.user_id().into(),
            key.session_id().into(),
            attempt.id.as_str().into(),
            id.as_str().into(),
            about.as_str().into(),
            columns.map(|columns| columns.sequence).into(),
            columns.and_then(|columns| columns.previous.as_deref()).into(),
            columns.map(|columns| columns.hash.as_str()).into(),
            columns.map(|columns| columns.at).into(),
            entry.map(|entry| entry.event.as_str()).into(),
            columns.map(|columns| columns.process).into(),
            entry.map(|entry| entry.host.as_str()).into(),
            columns.map(|columns| columns.version).into(),
        ];
        let answer = self.moved(key, Script::SetAside, &arguments, SET).await?;
        let found = answer.row().and_then(|row| Ok((row.int(0)?, row.int(1)?)));
        let found = found.map_err(|problem| self.doubt(key, problem))?;
        let entered = Entered::of(&answer, 2).map_err(|problem| self.doubt(key, problem))?;
        if let (Entered::Yes, Some(next)) = (entered, next) {
            attempt.stands_at(next.head);
        }
        match found {
            // It may have been an earlier try that did it.
            (_, Some(1)) => Ok(Some(true)),
            (Some(1), _) if entered == Entered::Moved => Ok(None),
            (Some(1), _) => Ok(Some(false)),
            _ => Err(self.lost(lease)),
        }
    }

    pub(super) async fn restore_aside(&self, lease: &Lease, id: AsideId) -> Result<bool, Error> {
        let attempt = Attempt::of(lease).ok_or_else(|| self.lost(lease))?;
        let found = self.aside_row(lease.key(), id).await?;
        let found = found.rows.last();
        if let Some(row) = found {
            let unreadable = |problem| row::unreadable(&self.location, lease.key(), problem);
            row::state(&**row, 0).map_err(unreadable)?;
        }
        let back = found.map(|row| back(&**row)).transpose();
        let back = back.map_err(|p| self.failed(Some(lease.key()), RESTORE, p.into()))?;
        for _ in 0..TRIES {
            if let Some(done) = self.restore_once(lease, &attempt, id, back.as_ref()).await? {
                return Ok(done);
            }
            self.look_again(lease, &attempt).await?;
        }
        Err(self.failed(Some(lease.key()), RESTORE, Problem::HistoryMoves.into()))
    }

    /// `None` if the history stands elsewhere than was thought.
    async fn restore_once(
        &self,
        lease: &Lease,
        attempt: &Attempt,
        id: AsideId,
        back: Option<&Back>,
    ) -> Result<Option<bool>, Error> {
        let (key, id) = (lease.key(), id.to_string());
        let refused = |problem: Problem| self.failed(Some(key), RESTORE, problem.into());
        let standing = attempt.standing();
        let head = standing.head.as_ref();
        let next = back
            .filter(|_| self.retention.is_some())
            .map(|back| Next::back(head, key, back.clone(), attempt.origin(standing.now())));
        let columns = next.as_ref().map(|next| Columns::of(head, next)).transpose();
        let columns = columns.map_err(refused)?;
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
            entry.and_then(|entry| entry.actor.as_deref()).into(),
            columns.map(|columns| columns.size).into(),
            entry.and_then(|entry| entry.checksum.as_deref()).into(),
            entry.and_then(|entry| entry.metadata.as_deref()).into(),
        ];
        let answer = self.moved(key, Script::RestoreAside, &arguments, RESTORE).await?;
        let found = answer.row().and_then(|row| Ok((row.int(0)?, row.int(1)?)));
        let found = found.map_err(|problem| self.doubt(key, problem))?;
        let entered = Entered::of(&answer, 3).map_err(|problem| self.doubt(key, problem))?;
        if let (Entered::Yes, Some(next)) = (entered, next) {
            attempt.stands_at(next.head);
        }
        match found {
            (Some(1), Some(0)) => Ok(Some(back.is_some())),
            (Some(1), _) if entered == Entered::Moved => Ok(None),
            (Some(1), _) => {
                let found = self.load(key).await?.map(|record| record.revision);
                Err(Error::conflict(key, &self.location, 0, version_of(found)))
            }
            _ if answer.is_doubtful => Err(self.doubt(key, self.lost(lease))),
            _ => Err(self.lost(lease)),
        }
    }
}

/// What a row that was set aside says. It need not be one that can be read as a record:
///
/// version, write id, schema version, type, metadata, checksum, state, provider, model, phase
fn back(row: &dyn Cells) -> Result<Back, Problem> {
    // Others than texts are for nobody to read.
    let metadata = row.bytes(4)?.and_then(|metadata| String::from_utf8(metadata).ok());
    let known = metadata.as_deref().and_then(|text| serde_json::from_str::<Metadata>(text).ok());
    Ok(Back {
        version: number(row, 0)?.unwrap_or(0),
        write_id: text(row, 1)?.unwrap_or_default(),
        schema_version: text(row, 2)?.unwrap_or_default(),
        state_type: text(row, 3)?,
        provider: text(row, 7)?,
        model: text(row, 8)?,
        phase: text(row, 9)?,
        actor: known.and_then(|known| known.actor).map(Into::into),
        metadata,
        state: Bytes::from(row.bytes(6)?.unwrap_or_default()),
    })
}
