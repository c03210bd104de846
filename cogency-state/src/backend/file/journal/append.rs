//! More lines at the end of a journal, or a new one.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt;

use super::line::encode;
use super::look::Standing;
use super::trailer::Trailer;
use super::{JOURNAL, Journal};
use crate::backend::file::fingerprint::Fingerprint;
use crate::backend::file::temp;
use crate::disk::folder::Folder;
use crate::expires_at::ExpiresAt;
use crate::history::{Head, Next};
use crate::key::StateKey;
use crate::record::Record;

/// Why nothing was appended.
#[derive(Debug)]
pub(in crate::backend::file) enum NotAdded {
    /// The journal is what it was.
    Failed(io::Error),
    /// It may be on the disk or not.
    Unsure(io::Error),
}

/// An entry to be added, and what the key has then.
pub(in crate::backend::file) struct Added {
    pub(in crate::backend::file) next: Next,
    pub(in crate::backend::file) record: Option<Record>,
    pub(in crate::backend::file) expires_at: Option<ExpiresAt>,
}

impl Added {
    /// The line, and where its rebuild begins.
    pub(super) fn line(
        &self,
        key: &StateKey,
        head: &Head,
        starts: u64,
        needs: u64,
    ) -> io::Result<(Vec<u8>, u64)> {
        let entry = &self.next.entry;
        let needs = if entry.begins_anew() { starts } else { needs };
        let trailer = Trailer {
            kind: entry.kind,
            at: entry.at,
            has_record: self.record.is_some(),
            expires_at: self.expires_at,
            starts,
            needs,
        };
        let line = encode(key, head.hash, &self.next, &trailer).map_err(|_| not_text())?;
        Ok((line, needs))
    }

    /// At the end of a new file.
    pub(super) fn stood(self, file: &File, end: u64, needs: u64) -> Result<Standing, NotAdded> {
        let stat = rustix::fs::fstat(file).map_err(|error| NotAdded::Unsure(error.into()))?;
        Ok(self.stands(Fingerprint::of(&stat), end, needs, 0))
    }

    fn stands(self, fingerprint: Fingerprint, end: u64, needs: u64, compact_at: u64) -> Standing {
        let Self { next, record, expires_at } = self;
        Standing {
            fingerprint,
            end,
            head: next.head,
            needs,
            record,
            expires_at,
            is_durable: true,
            is_named: true,
            compact_at,
        }
    }
}

/// What is not UTF-8 is no JSON either.
fn not_text() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8, so it is no JSON")
}

impl Journal {
    /// Appends a line, on the disk when this returns. Only for whoever has locked the journal and
    /// looked at it under this lock.
    pub(in crate::backend::file) fn append(
        &self,
        key: &StateKey,
        folder: &Folder,
        standing: &Standing,
        added: Added,
    ) -> Result<Standing, NotAdded> {
        let end = standing.end;
        let made = added.line(key, &standing.head, end, standing.needs);
        let (line, needs) = made.map_err(NotAdded::Failed)?;
        if !standing.is_named {
            // Its maker may have been killed before the name was on the disk.
            folder.sync().map_err(NotAdded::Failed)?;
        }
        self.write_at_end(standing, &line)?;
        let fingerprint = self.fingerprint().map_err(NotAdded::Unsure)?;
        Ok(added.stands(fingerprint, end + line.len() as u64, needs, standing.compact_at))
    }

    /// A line that failed is cut off: what the next one appends must not stand behind it, and what
    /// a failed sync left in memory must not be taken for what is on the disk.
    fn write_at_end(&self, standing: &Standing, line: &[u8]) -> Result<(), NotAdded> {
        let cut = || self.file.set_len(standing.end);
        if standing.is_torn() {
            cut().map_err(NotAdded::Failed)?;
        }
        if let Err(error) = self.file.write_all_at(line, standing.end) {
            let _ = cut();
            return Err(NotAdded::Failed(error));
        }
        self.file.sync_data().map_err(|error| {
            let _ = cut();
            NotAdded::Unsure(error)
        })
    }
}

/// Makes a journal of these entries, which begin a history. It appears whole, and on the disk.
pub(in crate::backend::file) fn create(
    key: &StateKey,
    folder: &Folder,
    before: &Head,
    entries: Vec<Added>,
) -> Result<Option<Standing>, NotAdded> {
    let (mut text, mut needs, mut head) = (Vec::new(), 0, before.clone());
    let mut newest = None;
    for added in entries {
        let made = added.line(key, &head, text.len() as u64, needs);
        let (line, line_needs) = made.map_err(NotAdded::Failed)?;
        text.extend_from_slice(&line);
        needs = line_needs;
        head = added.next.head.clone();
        newest = Some(added);
    }
    let write = |file: &mut File| file.write_all(&text);
    let file = temp::put_durably(folder, JOURNAL, write).map_err(|error| match error {
        temp::NotPut::Failed(error) => NotAdded::Failed(error),
        temp::NotPut::Unsure(error) => NotAdded::Unsure(error),
    })?;
    newest.map(|added| added.stood(&file, text.len() as u64, needs)).transpose()
}
