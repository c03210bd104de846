//! One save, as it is sent.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::expected::Expected;
use crate::backend::redis::claim::Attempt;
use crate::backend::redis::entry::Written;
use crate::backend::redis::reading::id;
use crate::backend::redis::records::Records;
use crate::backend::redis::request::{INLINE_BYTES, Request, command};
use crate::backend::redis::scripts::SAVE;
use crate::backend::{Lease, Write};
use crate::envelope;
use crate::envelope::in_history::{self, Place};
use crate::error::Error;

/// A larger value goes ahead of the script and is renamed by it: the server looks at each byte of
/// what it gives a script.
const SCRIPT_BYTES: usize = 2 << 10;

/// How long a large value waits for the script that puts it in place, in milliseconds. The script
/// comes right behind it.
const TEMPORARY_MILLIS: u64 = 60_000;

/// What lies beyond is for ever: longer times are not numbers that the server can count with.
pub(in crate::backend::redis) const LONGEST_TTL: Duration =
    Duration::from_secs(100_000 * 366 * 24 * 60 * 60);

/// One save, on its way.
pub(super) struct Save<'a> {
    pub(super) lease: &'a Lease,
    pub(super) attempt: &'a Arc<Attempt>,
    pub(super) write: &'a Write,
    release: bool,
    /// What is noted of it, where a history is kept.
    pub(super) entry: Option<Written>,
    pub(super) document: Bytes,
    /// How the document begins.
    pub(super) beginning: Bytes,
}

impl<'a> Save<'a> {
    /// A save whose state is in its history from so many bytes on.
    pub(super) fn new(
        lease: &'a Lease,
        attempt: &'a Arc<Attempt>,
        write: &'a Write,
        release: bool,
        entry: Option<Written>,
        whole_up_to: usize,
    ) -> Result<Self, Error> {
        let record = &write.record;
        let document = match &entry {
            Some(entry) if record.state.len() > whole_up_to => {
                let bytes = record.state.len() as u64;
                let place =
                    Place { keyframe: entry.standing.keyframe, entry: entry.sequence, bytes };
                in_history::write(record, place).map_err(|error| {
                    Error::backend(Some(&record.key), "the envelope", "write", error)
                })?
            }
            _ => record.to_json()?,
        };
        let beginning = envelope::beginning(&record.key, record.revision)?.into();
        Ok(Self { lease, attempt, write, release, entry, document, beginning })
    }

    pub(super) fn request(&self, records: &Records, expected: &Expected) -> Request {
        let write_id = self.write.record.revision.write_id;
        let is_ahead = self.document.len() > SCRIPT_BYTES;
        let ahead = is_ahead.then(|| records.keys.temporary(self.attempt.record(), write_id));
        let is_noted = records.network.is_one_slot() && expected.makes_a_record();
        let index = is_noted.then(|| records.keys.index(self.lease.key().user_id()));

        let attempt = self.attempt;
        let ttl = self.ttl(records).map_or_else(String::new, |millis| millis.to_string());
        let may_expire = expected.makes_a_record() || attempt.is_mortal();
        let has_content =
            self.entry.as_ref().is_some_and(|entry| entry.before == 0 || !entry.content.is_empty());
        // While its slot moves, a key that is not there keeps the script waiting.
        let with_contents = may_expire || has_content || !ttl.is_empty();
        let mut keys = vec![attempt.record(), attempt.lease_name(), attempt.history()];
        keys.extend(with_contents.then(|| attempt.contents()));
        keys.extend(index.as_deref());
        keys.extend(ahead.as_deref());

        let beginnings = [attempt.id().as_bytes(), expected.beginning(), &self.beginning];
        let last_bytes = beginnings.map(|bytes| bytes.len().saturating_sub(1).to_string());
        let mut arguments = beginnings.to_vec();
        arguments.extend(last_bytes.iter().map(String::as_bytes));
        arguments.push(if is_ahead { b"" } else { &self.document });
        arguments.push(if self.release { b"1" } else { b"0" });
        arguments.push(ttl.as_bytes());
        let (entry_id, count) = self
            .entry
            .as_ref()
            .map_or_else(Default::default, |entry| (id(entry.sequence), entry.before.to_string()));
        arguments.extend(self.entry_arguments(&entry_id, &count));
        arguments.push(if may_expire { b"1" } else { b"0" });
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
        let noted = self.entry.as_ref().map_or(0, Written::bytes);
        let bytes = self.document.len() + expected.beginning().len() + noted;
        if bytes > INLINE_BYTES { request.of_bytes(bytes) } else { request }
    }

    /// The entry, its id, how many there are before it, and its content.
    fn entry_arguments<'e>(&'e self, entry_id: &'e str, count: &'e str) -> [&'e [u8]; 4] {
        match &self.entry {
            None => [b"", b"", b"", b""],
            Some(entry) => [&entry.json, entry_id.as_bytes(), count.as_bytes(), &entry.content],
        }
    }

    /// In how many milliseconds the record expires, rounded up; `None` if it stays. Under a lease
    /// that goes on it lives for as long as that lasts.
    fn ttl(&self, records: &Records) -> Option<u128> {
        let ttl = self.write.ttl.filter(|ttl| *ttl <= LONGEST_TTL)?;
        let least = if self.release { Duration::from_millis(1) } else { records.lease_ttl };
        Some((ttl.max(least) + Duration::from_nanos(999_999)).as_millis())
    }
}
