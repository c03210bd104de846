//! States that are in their histories.
//!
//! Under a lease nobody saves; but a look without one may fall between two saves, and a pruning may
//! come at any time. So what does not fit together is looked at once more: it is damaged if the
//! record is the same then.

use bytes::Bytes;

use super::entry::Found;
use super::known::KnownRecord;
use super::problem::Failure;
use super::records::Records;
use crate::backend::off_thread::off_thread;
use crate::envelope::in_history::{self, InHistory, Place};
use crate::error::Error;
use crate::history::{Break, Entry, rebuild};
use crate::key::StateKey;
use crate::record::{Record, Revision};

/// A larger state is put together where that holds nobody up.
const MAX_INLINE_BYTES: u64 = 256 << 10;

const LOAD: &str = "load";

impl Records {
    /// The record of a document; `None` if it is gone meanwhile.
    pub(super) async fn record_of(
        &self,
        key: &StateKey,
        document: Bytes,
        known: Option<&KnownRecord>,
    ) -> Result<Option<Record>, Error> {
        let (mut document, mut known) = (document, known);
        loop {
            let Some(found) = in_history::read(key, &document) else {
                return Record::from_json(key, self.location(), &document).map(Some);
            };
            let found = found.map_err(|unreadable| unreadable.into_error(key, self.location()))?;
            // In a box, so that who loads nothing large does not carry it along.
            let rebuilt = Box::pin(self.rebuilt(key, found, known.take())).await;
            let broken = match rebuilt.map_err(|failure| self.failed(Some(key), LOAD, failure))? {
                Ok(record) => return Ok(Some(record)),
                Err(broken) => broken,
            };
            match self.document(key).await? {
                None => return Ok(None),
                Some(now) if now == document => return Err(self.not_rebuilt(key, &broken)),
                Some(now) => document = now,
            }
        }
    }

    /// The revision of a document, wherever its state is.
    pub(super) fn revision_of(&self, key: &StateKey, document: &Bytes) -> Result<Revision, Error> {
        let Some(found) = in_history::read(key, document) else {
            return Ok(Record::from_json(key, self.location(), document)?.revision);
        };
        let found = found.map_err(|unreadable| unreadable.into_error(key, self.location()))?;
        Ok(found.record.revision)
    }

    /// The record whose state its history has.
    async fn rebuilt(
        &self,
        key: &StateKey,
        found: InHistory,
        known: Option<&KnownRecord>,
    ) -> Result<Result<Record, Break>, Failure> {
        let place = found.place;
        if let Some(from) = known.and_then(|known| known.before(place)) {
            // What is known may be of a history that began anew since.
            if let Ok(record) = self.rebuilt_from(key, found.clone(), Some(from)).await? {
                return Ok(Ok(record));
            }
        }
        self.rebuilt_from(key, found, None).await
    }

    async fn rebuilt_from(
        &self,
        key: &StateKey,
        found: InHistory,
        known: Option<Entry>,
    ) -> Result<Result<Record, Break>, Failure> {
        let Place { keyframe, entry, bytes } = found.place;
        let from = known.as_ref().map_or(keyframe, |known| known.sequence + 1);
        let most = if known.is_some() { 0 } else { 2 * usize::try_from(bytes).unwrap_or(0) };
        let entries = match self.whole_entries(key, (from, entry), most).await? {
            Ok(entries) => entries,
            Err(broken) => return Ok(Err(broken)),
        };
        let entries = known.into_iter().chain(entries.into_iter().map(Found::into_entry));
        let entries: Vec<Entry> = entries.collect();
        let broken = Break::at(entry, "its state is not the one that was saved");
        if entries.last().is_none_or(|last| last.sequence != entry) {
            return Ok(Err(Break::at(entry, "it is missing")));
        }
        let work = move || {
            let state = rebuild(&entries)?.ok_or_else(|| broken.clone())?;
            found.with_state(state).ok_or(broken)
        };
        Ok(if bytes > MAX_INLINE_BYTES { off_thread(work).await } else { work() })
    }

    fn not_rebuilt(&self, key: &StateKey, broken: &Break) -> Error {
        let Break { sequence, reason } = broken;
        let reason = format!(
            "its state is in its history, of which the entry {sequence} does not serve: {reason}"
        );
        Error::corrupt(key, self.location(), reason)
    }
}
