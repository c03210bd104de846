//! Files that appear whole under their name, or not at all.

use std::fs::File;
use std::io;

use super::journal::Journal;
use crate::disk::folder::Folder;
use crate::record::WriteId;

const SUFFIX: &str = ".tmp";
/// How the names of what is written so begin.
const STATE: &str = "state.";
const STEMS: [&str; 3] = ["journal.", STATE, "aside-"];

/// Why a file was not put in its place.
#[derive(Debug)]
pub(super) enum NotPut {
    /// What was there before is there.
    Failed(io::Error),
    /// The new one is there, but a power cut may bring the old one back.
    Unsure(io::Error),
}

/// Replaces a file. The order is what makes it atomic and durable: the new file is on the disk
/// before it gets its name, and the name is on the disk before anyone is told.
pub(super) fn put_durably(
    folder: &Folder,
    name: &str,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<File, NotPut> {
    let written = put(folder, name, |file| {
        write(file)?;
        file.sync_data()
    });
    let file = written.map_err(NotPut::Failed)?;
    folder.sync().map_err(NotPut::Unsure)?;
    Ok(file)
}

/// The same for what may be lost in a power cut, and made again.
pub(super) fn put(
    folder: &Folder,
    name: &str,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<File> {
    let temp = temp_name(name);
    let mut file = folder.create_new_file(&temp)?;
    let written = write(&mut file).and_then(|()| folder.rename(&temp, name));
    if let Err(error) = written {
        // What failed is the writing. A file that cannot be removed either is swept later.
        let _ = folder.remove_file(&temp);
        return Err(error);
    }
    Ok(file)
}

/// Removes the files that writers who died left half written. Only for the holder of the lock: what
/// is written without that is written under a lock of its own.
pub(super) fn sweep(folder: &Folder) -> io::Result<()> {
    let _journal = Journal::open_locked(folder)?;
    let is_copying = !folder.try_lock()?;
    for name in folder.names()? {
        if is_temp(&name) && !(is_copying && name.starts_with(STATE)) {
            folder.remove_file(&name)?;
        }
    }
    if !is_copying {
        folder.unlock();
    }
    Ok(())
}

/// Differs from write to write: two writers of one temp file would mix.
fn temp_name(name: &str) -> String {
    let stem = STEMS.into_iter().find(|stem| name.starts_with(stem)).unwrap_or(STATE);
    format!("{stem}{}{SUFFIX}", WriteId::generate())
}

fn is_temp(name: &str) -> bool {
    let rest = STEMS.into_iter().find_map(|stem| name.strip_prefix(stem));
    rest.and_then(|rest| rest.strip_suffix(SUFFIX)).is_some_and(|id| id.parse::<WriteId>().is_ok())
}
