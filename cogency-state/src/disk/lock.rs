//! The lease of a key: a lock file in its folder.
//!
//! The operating system holds the lock for as long as the file is open and frees it when its
//! process dies, however it dies. The file says who took the lock last, for those who wait, and the
//! newest fencing token, for the case that the lock itself fails: on some network file systems a
//! lock is lost without a word, and a person may remove the file.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::folder::{Folder, same_file};
use crate::holder::Holder;
use crate::record::WriteId;

pub(crate) const LOCK_FILE: &str = "lock";

/// The longest line that is read. Behind its end may stand the rest of an older, longer one.
const LENGTH: usize = 512;

/// This run of the program. A process that was forked from it is another.
static RUN: LazyLock<WriteId> = LazyLock::new(WriteId::generate);

/// A lock that is held.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    pub(crate) token: u64,
    /// Whether the holder before may have died: it was not this process, or is not known.
    pub(crate) may_have_died: bool,
}

#[derive(Debug)]
pub(crate) enum Attempt {
    Locked(Lock),
    Held(Holder),
    /// The folder was removed at the same time.
    Gone,
}

/// The contents of a lock file, one line of JSON.
#[derive(Serialize, Deserialize)]
struct Text {
    token: u64,
    holder: Holder,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<WriteId>,
}

impl Lock {
    pub(crate) fn try_acquire(folder: &Folder, holder: &Holder) -> io::Result<Attempt> {
        loop {
            let Some(file) = folder.open_or_create_file(LOCK_FILE)? else {
                return Ok(Attempt::Gone);
            };
            if !file.metadata()?.is_file() {
                return Err(io::Error::other("`lock` is not a regular file"));
            }
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let holder = read(&file).map_or_else(Holder::unknown, |text| text.holder);
                    return Ok(Attempt::Held(holder));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever held it may have removed the file before we had the lock: then the lock
            // that counts is on another file.
            if is_in(&file, folder)? {
                return Self::take(file, holder).map(Attempt::Locked);
            }
        }
    }

    fn take(file: File, holder: &Holder) -> io::Result<Self> {
        let last = read(&file);
        // The clock makes tokens grow also where the file was removed in between.
        let after_last = last.as_ref().map_or(0, |last| last.token.saturating_add(1));
        let token = now_in_micros().max(after_last);
        let may_have_died = !last.is_some_and(|last| last.is_of_this_run(holder));
        write(&file, &Text { token, holder: holder.clone(), run: Some(*RUN) })?;
        Ok(Self { file, token, may_have_died })
    }

    /// Whether this is still the lock of the key whose folder this is, and nobody took a newer
    /// lease.
    pub(crate) fn is_newest(&self, folder: &Folder) -> io::Result<bool> {
        Ok(is_in(&self.file, folder)?
            && read(&self.file).is_some_and(|text| text.token == self.token))
    }
}

impl Text {
    fn is_of_this_run(&self, now: &Holder) -> bool {
        self.run == Some(*RUN) && self.holder.process == now.process
    }
}

/// Frees the lock also where a child process has a copy of the open file: one that was forked at
/// this moment and is yet to close it.
impl Drop for Lock {
    fn drop(&mut self) {
        // What cannot be unlocked is free when the last copy is closed.
        let _ = self.file.unlock();
    }
}

/// Whether a file is the lock file that this folder has now.
fn is_in(file: &File, folder: &Folder) -> io::Result<bool> {
    let there = folder.stat(LOCK_FILE)?;
    let ours = rustix::fs::fstat(file)?;
    Ok(there.is_some_and(|there| same_file(&there, &ours)))
}

/// `None` for a new file, and for one that a power cut left without its contents.
fn read(file: &File) -> Option<Text> {
    let mut bytes = [0; LENGTH];
    let length = file.read_at(&mut bytes, 0).ok()?;
    let line = bytes.get(..length)?.split(|&byte| byte == b'\n').next()?;
    serde_json::from_slice(line).ok()
}

fn write(file: &File, text: &Text) -> io::Result<()> {
    let mut line = serde_json::to_vec(text)?;
    line.push(b'\n');
    file.write_all_at(&line, 0)
}

fn now_in_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_without_what_an_older_longer_one_left_behind_it() {
        let file = tempfile::tempfile().unwrap();
        for host in ["a-host-with-a-long-name", "a"] {
            let holder = Holder { host: host.into(), ..Holder::unknown() };
            write(&file, &Text { token: 1, holder, run: None }).unwrap();
            assert_eq!(read(&file).unwrap().holder.host, host);
        }
    }
}
