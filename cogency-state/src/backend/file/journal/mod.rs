//! The journal of a key: a file to which each save, delete and so on appends a line.
//!
//! ```text
//! {"user_id":"alice","session_id":"default","sequence":1,"event":"save","version":1, ...,
//!  "previous":"0000...","hash":"5c61...","state":{"turns":["hello"]},
//!  "kind":"keyframe","at": 1769860800000001,"record":true ,"starts":0,"needs":0,
//!  "line_checksum":"..."}
//! {"sequence":2, ..., "change":[[0,17],",\"again\"",[17,2]],"kind":"change", ...}
//! ```
//!
//! (Each is one line of the file.) A line has what [`HistoryRow`](crate::HistoryRow) has; its
//! content stands in it as JSON, or as a text named `text` where it is no JSON on one line. Its
//! trailer has a fixed width, so the end of the file tells whether the key has a record, when that
//! expires, and where to begin to read. A new journal, also one that was compacted, appears whole.
//!
//! What a power cut may leave behind the last whole line is a part of a line that nobody was told
//! of: its reader does not see it, and the next writer cuts it off. Any other line that is not what
//! was written is damage.
//!
//! | | |
//! |---|---|
//! | `line`, `trailer` | one line, written and read |
//! | `tail` | the last whole line of a file |
//! | `look` | what is under the key, and where its history stands |
//! | `append` | more lines at the end, or a new file |
//! | `walk` | all lines, from the last to the first |
//! | `compact` | without those that need not stay |
//! | `damage` | what can be wrong with it |

mod append;
mod compact;
mod damage;
#[cfg(all(target_os = "linux", any(test, fuzzing)))]
pub(crate) mod fuzz;
mod line;
mod look;
mod tail;
mod trailer;
mod walk;

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;

pub(super) use append::{Added, NotAdded, create};
pub(super) use compact::Cut;
pub(super) use damage::Damage;
pub(super) use line::Line;
pub(super) use look::Standing;
pub(super) use trailer::Trailer;
pub(super) use walk::Extent;

use super::fingerprint::Fingerprint;
use crate::disk::folder::{Folder, same_file};
use crate::key::StateKey;

pub(super) const JOURNAL: &str = "journal.jsonl";

/// How long a writer waits for another that has the file: nobody has it for longer than it takes
/// to write it anew.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(1);

/// More than the ids in front of a line can take.
const IDS: u64 = 16 << 10;

/// An open journal.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    is_locked: bool,
}

impl Journal {
    /// For reading, if there is one.
    pub(super) fn open(folder: &Folder, name: &str) -> io::Result<Option<Self>> {
        Self::of(folder.open_file(name)?, name)
    }

    /// For a writer: nobody else writes until it is dropped. The lease keeps other saves away; this
    /// keeps those away who need no lease, because they only leave out what need not stay.
    pub(super) fn open_locked(folder: &Folder) -> io::Result<Option<Self>> {
        let begun = Instant::now();
        loop {
            let Some(mut journal) = Self::of(folder.open_file_to_write(JOURNAL)?, JOURNAL)? else {
                return Ok(None);
            };
            match journal.file.try_lock() {
                Ok(()) => journal.is_locked = true,
                Err(TryLockError::WouldBlock) if begun.elapsed() < LONGEST_WAIT => {
                    thread::sleep(PAUSE);
                    continue;
                }
                Err(TryLockError::WouldBlock) => {
                    let reason = "another process has locked `journal.jsonl` for half a minute";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, reason));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // A journal that was written anew meanwhile is another file.
            let ours = rustix::fs::fstat(&journal.file)?;
            if folder.stat(JOURNAL)?.is_some_and(|there| same_file(&there, &ours)) {
                return Ok(Some(journal));
            }
        }
    }

    fn of(file: Option<File>, name: &str) -> io::Result<Option<Self>> {
        let Some(file) = file else { return Ok(None) };
        if !file.metadata()?.is_file() {
            return Err(io::Error::other(format!("`{name}` is not a regular file")));
        }
        Ok(Some(Self { file, is_locked: false }))
    }

    pub(super) fn fingerprint(&self) -> io::Result<Fingerprint> {
        rustix::fs::fstat(&self.file).map(|stat| Fingerprint::of(&stat)).map_err(Into::into)
    }

    /// All that was written is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// What the end of the file says, without a look at the rest of it: to be believed where it
    /// says that there is a record. `None` if it does not tell.
    pub(super) fn glance(&self) -> io::Result<Option<Trailer>> {
        let length = self.fingerprint()?.length();
        let end = self.read(length.saturating_sub(trailer::MAX_LENGTH as u64), length)?;
        Ok(Trailer::parse(&end).map(|(trailer, _)| trailer))
    }

    /// Whose it says it is.
    pub(super) fn key(&self) -> io::Result<Option<StateKey>> {
        Ok(Line::peek_key(&self.read(0, IDS)?))
    }

    /// What stands between two places, as far as the file goes.
    fn read(&self, from: u64, to: u64) -> io::Result<Bytes> {
        let length = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length.min(to_usize(self.fingerprint()?.length()))];
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, from + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(done);
        Ok(bytes.into())
    }
}

fn to_usize(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// Unlocks it also where a child process has a copy of the open file.
impl Drop for Journal {
    fn drop(&mut self) {
        if self.is_locked {
            // What cannot be unlocked is free when the last copy is closed.
            let _ = self.file.unlock();
        }
    }
}
