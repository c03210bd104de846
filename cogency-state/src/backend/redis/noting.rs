//! What is noted in a history when something happens to a state.

use std::sync::Arc;

use bytes::Bytes;

use super::claim::Attempt;
use super::entry::Written;
use super::reading::id;
use super::records::Records;
use super::standing::{Standing, Stands};
use crate::backend::off_thread::off_thread;
use crate::backend::{Lease, Write};
use crate::error::Error;
use crate::history::{Break, Head, Next, Origin, Saved};
use crate::key::StateKey;

/// The change of a larger state is looked for where that holds nobody up.
const MAX_INLINE_BYTES: usize = 256 << 10;

/// An entry as scripts take it: the entry, its id, how many there are before it, the id of the
/// newest of these, and its content. Empty if there is none.
#[derive(Default)]
pub(super) struct Arguments {
    pub(super) entry: Vec<u8>,
    pub(super) id: Vec<u8>,
    pub(super) before: Vec<u8>,
    pub(super) newest: Vec<u8>,
    pub(super) content: Vec<u8>,
}

impl Records {
    /// The entry of a save, where a history is kept.
    pub(super) async fn save_noted(
        &self,
        lease: &Lease,
        attempt: &Arc<Attempt>,
        write: &Write,
    ) -> Result<Option<Written>, Error> {
        if self.retention.is_none() {
            return Ok(None);
        }
        let key = lease.key();
        let standing = self.standing_under(key, attempt).await?;
        let known = write.expected.and_then(|expected| self.known.state_of(key, expected));
        let replaced = known.or_else(|| write.replaced.clone());
        let written = if write.record.state.len() <= MAX_INLINE_BYTES {
            note_save(standing.as_ref(), write, replaced.as_ref(), attempt.origin())
        } else {
            let (write, attempt) = (write.clone(), Arc::clone(attempt));
            let note =
                move || note_save(standing.as_ref(), &write, replaced.as_ref(), attempt.origin());
            off_thread(note).await
        };
        written.map(Some).map_err(|error| self.not_noted(key, error))
    }

    /// The entry of another event, where a history is kept.
    pub(super) async fn noted(
        &self,
        key: &StateKey,
        attempt: &Attempt,
        note: impl FnOnce(Option<&Head>, Origin<'_>) -> Next,
    ) -> Result<Option<Written>, Error> {
        if self.retention.is_none() {
            return Ok(None);
        }
        let standing = self.standing_under(key, attempt).await?;
        let head = standing.as_ref().map(|standing| &standing.head);
        let written = Written::new(standing.as_ref(), note(head, attempt.origin()));
        written.map(Some).map_err(|error| self.not_noted(key, error))
    }

    /// Where the history stands that whoever has the lease is about to go on with.
    async fn standing_under(
        &self,
        key: &StateKey,
        attempt: &Attempt,
    ) -> Result<Option<Standing>, Error> {
        match attempt.stands() {
            Stands::Nowhere => return Ok(None),
            Stands::At(standing) => return Ok(Some(standing)),
            Stands::Unknown => {}
        }
        let failed = |failure| self.failed(Some(key), "read the history of", failure);
        let standing = self.standing(key, false).await.map_err(failed)?;
        let standing = standing.map_err(|broken| self.broken(key, &broken))?;
        attempt.knows(standing.clone().into());
        Ok(standing)
    }

    /// A history whose newest entry was removed: it cannot be gone on with.
    pub(super) fn cut(&self, key: &StateKey, sequence: u64) -> Error {
        self.broken(key, &Break::at(sequence, "it was removed"))
    }

    fn not_noted(&self, key: &StateKey, error: serde_json::Error) -> Error {
        Error::backend(Some(key), self.location(), "note in the history of", error)
    }
}

fn note_save(
    standing: Option<&Standing>,
    write: &Write,
    replaced: Option<&Bytes>,
    origin: Origin<'_>,
) -> Result<Written, serde_json::Error> {
    let saved = Saved {
        event: write.action.into(),
        record: &write.record,
        expected: write.expected,
        replaced,
    };
    Written::new(standing, Next::save(standing.map(|standing| &standing.head), &saved, origin))
}

impl Written {
    pub(super) fn arguments(entry: Option<&Self>) -> Arguments {
        let Some(Self { sequence, before, json, content, .. }) = entry else {
            return Arguments::default();
        };
        let newest = if *before == 0 { String::new() } else { id(sequence - 1) };
        Arguments {
            entry: json.clone(),
            id: id(*sequence).into(),
            before: before.to_string().into(),
            newest: newest.into(),
            content: content.to_vec(),
        }
    }
}
