//! States that are in their histories.
//!
//! Under a lease nobody saves; but a look without one may fall between two saves, a pruning may come
//! at any time, and where a master is replaced the connection for what is large may still lead to the
//! one before. So what does not fit together is asked for once more by the connection that gave the
//! record, with the record: it is damaged if that is the same then.

use bytes::Bytes;

use super::entry::Found;
use super::known::KnownRecord;
use super::problem::Failure;
use super::records::{Records, is_whole};
use super::request::INLINE_BYTES;
use crate::backend::off_thread::off_thread;
use crate::envelope::in_history::{self, InHistory, Place};
use crate::error::Error;
use crate::history::{Break, Entry, rebuild};
use crate::key::StateKey;
use crate::record::{Record, Revision};

/// A larger state is put together where that holds nobody up.
const MAX_INLINE_BYTES: u64 = 256 << 10;

const LOAD: &str = "load";

/// How a state is asked for.
enum By<'a> {
    /// From what is known on, or by the connection for what is large.
    TheQuickestWay(Option<&'a KnownRecord>),
    /// By the one that gave the record.
    TheSameConnection,
}

/// What was found where the entries are.
struct Looked {
    /// How the document there begins; `None` if there is none.
    document: Option<Bytes>,
    record: Result<Record, Break>,
}

impl Records {
    /// The record of a document; `None` if it is gone meanwhile.
    pub(super) async fn record_of(
        &self,
        key: &StateKey,
        document: Bytes,
        known: Option<&KnownRecord>,
    ) -> Result<Option<Record>, Error> {
        let (mut document, mut by) = (document, By::TheQuickestWay(known));
        loop {
            let Some(found) = in_history::read(key, &document) else {
                return Record::from_json(key, self.location(), &document).map(Some);
            };
            let found = found.map_err(|unreadable| unreadable.into_error(key, self.location()))?;
            let was_quick = matches!(by, By::TheQuickestWay(_));
            // In a box, so that who loads nothing large does not carry it along.
            let looked = Box::pin(self.rebuilt(key, found, by)).await;
            let looked = looked.map_err(|failure| self.failed(Some(key), LOAD, failure))?;
            let broken = match looked.record {
                Ok(record) => return Ok(Some(record)),
                Err(broken) => broken,
            };
            by = By::TheSameConnection;
            document = match looked.document {
                _ if was_quick => document,
                None => return Ok(None),
                Some(now) if now == document => return Err(self.not_rebuilt(key, &broken)),
                Some(now) if is_whole(&now) => now,
                Some(_) => match self.whole_document(key).await? {
                    Some(whole) => whole,
                    None => return Ok(None),
                },
            };
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
        by: By<'_>,
    ) -> Result<Looked, Failure> {
        let By::TheQuickestWay(known) = by else {
            return self.rebuilt_from(key, found, None, 0).await;
        };
        if let Some(from) = known.and_then(|known| known.before(found.place)) {
            // What is known may be of a history that began anew since.
            let looked = self.rebuilt_from(key, found.clone(), Some(from), 0).await?;
            if looked.record.is_ok() {
                return Ok(looked);
            }
        }
        let bytes = usize::try_from(found.place.bytes).unwrap_or(usize::MAX).saturating_mul(2);
        let bytes = if bytes > INLINE_BYTES { bytes } else { 0 };
        self.rebuilt_from(key, found, None, bytes).await
    }

    async fn rebuilt_from(
        &self,
        key: &StateKey,
        found: InHistory,
        known: Option<Entry>,
        large: usize,
    ) -> Result<Looked, Failure> {
        let Place { keyframe, entry, bytes } = found.place;
        let from = known.as_ref().map_or(keyframe, |known| known.sequence + 1);
        let (document, entries) = self.document_and_entries(key, (from, entry), large).await?;
        let entries = match entries {
            Ok(entries) => entries.into_iter().map(Found::into_entry),
            Err(broken) => return Ok(Looked { document, record: Err(broken) }),
        };
        let entries: Vec<Entry> = known.into_iter().chain(entries).collect();
        if entries.last().is_none_or(|last| last.sequence != entry) {
            return Ok(Looked { document, record: Err(Break::at(entry, "it is missing")) });
        }
        let broken = Break::at(entry, "its state is not the one that was saved");
        let work = move || {
            let state = rebuild(&entries)?.ok_or_else(|| broken.clone())?;
            found.with_state(state).ok_or(broken)
        };
        let record = if bytes > MAX_INLINE_BYTES { off_thread(work).await } else { work() };
        Ok(Looked { document, record })
    }

    fn not_rebuilt(&self, key: &StateKey, broken: &Break) -> Error {
        let Break { sequence, reason } = broken;
        let reason = format!(
            "its state is in its history, of which the entry {sequence} does not serve: {reason}"
        );
        Error::corrupt(key, self.location(), reason)
    }
}
