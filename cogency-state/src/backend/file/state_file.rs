//! `state.json`: a copy of the newest record for readers, made of the journal. Where there is no
//! journal it is the record itself, as earlier versions of this library and the original left it.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::os::unix::fs::FileExt;
use std::time::SystemTime;

use bytes::Bytes;

use super::temp;
use crate::disk::folder::Folder;
use crate::envelope;
use crate::expires_at::ExpiresAt;
use crate::record::Record;

pub(super) const STATE_FILE: &str = "state.json";

/// Enough for the schema version and what stands behind it, however it is spaced.
const BEGINNING: usize = 256;

/// A document in a folder, if there is one.
pub(super) fn read(folder: &Folder, name: &str) -> io::Result<Option<Bytes>> {
    let Some(mut file) = folder.open_file(name)? else { return Ok(None) };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other(format!("`{name}` is not a regular file")));
    }
    let mut document = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
    file.read_to_end(&mut document)?;
    Ok(Some(document.into()))
}

/// Whether the document in a folder may have expired at a moment, by its first lines: a large one
/// is not read for that. They do not tell if somebody gave its fields another order.
pub(super) fn may_be_over(folder: &Folder, moment: SystemTime) -> io::Result<bool> {
    let Some(file) = folder.open_file(STATE_FILE)? else { return Ok(false) };
    let mut beginning = [0; BEGINNING];
    let length = file.read_at(&mut beginning, 0)?;
    let beginning = beginning.get(..length).unwrap_or_default();
    if !envelope::begins_as_ours(beginning) {
        return Ok(true);
    }
    Ok(ExpiresAt::at_a_glance(beginning).is_some_and(|expires_at| expires_at.is_over(moment)))
}

/// Writes a copy, whole or not at all. It may be lost in a power cut: the journal is not.
pub(super) fn put(
    folder: &Folder,
    record: &Record,
    expires_at: Option<ExpiresAt>,
) -> io::Result<()> {
    let (head, end) = envelope::around(record, expires_at)?;
    temp::put(folder, STATE_FILE, |file| write_all(file, [head.as_slice(), &record.state, end]))?;
    Ok(())
}

/// Writes a record under another name, on the disk before its name is.
pub(super) fn put_durably(folder: &Folder, name: &str, record: &Record) -> io::Result<()> {
    let (head, end) = envelope::around(record, None)?;
    let write = |file: &mut _| write_all(file, [head.as_slice(), &record.state, end]);
    temp::put_durably(folder, name, write).map(|_| ()).map_err(|error| match error {
        temp::NotPut::Failed(error) | temp::NotPut::Unsure(error) => error,
    })
}

/// Writes the parts one after the other without copying them together.
fn write_all<const N: usize>(file: &mut std::fs::File, parts: [&[u8]; N]) -> io::Result<()> {
    let mut slices = parts.map(IoSlice::new);
    let mut slices = slices.as_mut_slice();
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
