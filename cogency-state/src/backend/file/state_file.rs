//! The file that holds a key's record: replaced as a whole, or not at all.

use std::fs::File;
use std::io::{self, IoSlice, Read, Write as _};
use std::os::unix::fs::FileExt;
use std::time::SystemTime;

use bytes::Bytes;
use rustix::fs::{FileType, Stat};

use crate::disk::folder::Folder;
use crate::envelope;
use crate::expires_at::ExpiresAt;
use crate::record::{Record, WriteId};

pub(super) const STATE_FILE: &str = "state.json";

/// Enough for the schema version and what stands behind it, however it is spaced.
const BEGINNING: usize = 256;

const TEMP_PREFIX: &str = "state.";
const TEMP_SUFFIX: &str = ".tmp";

/// Why a state file was not replaced.
#[derive(Debug)]
pub(super) enum NotReplaced {
    /// The old record is there.
    Failed(io::Error),
    /// The new record is there, but a power cut may bring the old one back.
    Unsure(io::Error),
}

/// What tells one state of the file from the next without reading it: every save makes a new file,
/// and whoever writes into the old one changes its times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    device: u64,
    inode: u64,
    length: i64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl Fingerprint {
    // The types of the fields differ between systems.
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, clippy::cast_possible_wrap)]
    fn of(file: &Stat) -> Self {
        Self {
            device: file.st_dev as u64,
            inode: file.st_ino as u64,
            length: file.st_size as i64,
            modified: (file.st_mtime as i64, file.st_mtime_nsec as u64),
            changed: (file.st_ctime as i64, file.st_ctime_nsec as u64),
        }
    }
}

/// The document in a folder, if there is one.
pub(super) fn read(folder: &Folder) -> io::Result<Option<(Bytes, Fingerprint)>> {
    let Some(mut file) = folder.open_file(STATE_FILE)? else { return Ok(None) };
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("`state.json` is not a regular file"));
    }
    let length = usize::try_from(stat.st_size).unwrap_or(0);
    let mut document = Vec::with_capacity(length + 1);
    file.read_to_end(&mut document)?;
    Ok(Some((document.into(), Fingerprint::of(&stat))))
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

/// The fingerprint of the document in a folder, if there is one.
pub(super) fn fingerprint(folder: &Folder) -> io::Result<Option<Fingerprint>> {
    Ok(folder.stat(STATE_FILE)?.as_ref().map(Fingerprint::of))
}

/// Replaces the document. The order is what makes it atomic and durable: the new file is on the
/// disk before it gets its name, and the name is on the disk before anyone is told.
pub(super) fn replace(
    folder: &Folder,
    record: &Record,
    expires_at: Option<ExpiresAt>,
) -> Result<(), NotReplaced> {
    let temp = temp_name(record.revision.write_id);
    let written = write_temp(folder, &temp, record, expires_at)
        .and_then(|()| folder.rename(&temp, STATE_FILE));
    if let Err(error) = written {
        // What failed is the save. A file that cannot be removed either is swept by another run.
        let _ = folder.remove_file(&temp);
        return Err(NotReplaced::Failed(error));
    }
    folder.sync().map_err(NotReplaced::Unsure)
}

fn write_temp(
    folder: &Folder,
    name: &str,
    record: &Record,
    expires_at: Option<ExpiresAt>,
) -> io::Result<()> {
    let (head, end) = envelope::around(record, expires_at)?;
    let mut file = match folder.create_new_file(name) {
        // An earlier try of this same save left it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            folder.remove_file(name)?;
            folder.create_new_file(name)?
        }
        created => created?,
    };
    write_all(&mut file, [head.as_slice(), &record.state, end])?;
    file.sync_data()
}

/// Writes the parts one after the other without copying them together.
fn write_all<const N: usize>(file: &mut File, parts: [&[u8]; N]) -> io::Result<()> {
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

/// Removes the files that writers left half written. Only for the holder of the lock: nobody
/// else writes then.
pub(super) fn sweep(folder: &Folder) -> io::Result<()> {
    for name in folder.names()? {
        if is_temp(&name) {
            folder.remove_file(&name)?;
        }
    }
    Ok(())
}

/// Differs from write to write: two writers of one temp file would mix.
fn temp_name(write_id: WriteId) -> String {
    format!("{TEMP_PREFIX}{write_id}{TEMP_SUFFIX}")
}

fn is_temp(name: &str) -> bool {
    name.strip_prefix(TEMP_PREFIX)
        .and_then(|rest| rest.strip_suffix(TEMP_SUFFIX))
        .is_some_and(|id| id.parse::<WriteId>().is_ok())
}
