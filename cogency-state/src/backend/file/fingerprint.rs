//! What tells one state of a file from the next without reading it.

use rustix::fs::Stat;

/// A file at a moment: one that was made anew is another, and whoever writes into it changes its
/// length or its times.
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
    pub(super) fn of(file: &Stat) -> Self {
        Self {
            device: file.st_dev as u64,
            inode: file.st_ino as u64,
            length: file.st_size as i64,
            modified: (file.st_mtime as i64, file.st_mtime_nsec as u64),
            changed: (file.st_ctime as i64, file.st_ctime_nsec as u64),
        }
    }

    /// In bytes.
    pub(super) fn length(&self) -> u64 {
        u64::try_from(self.length).unwrap_or(0)
    }

    /// The same file with another length.
    pub(super) fn with_length(self, length: u64) -> Self {
        Self { length: i64::try_from(length).unwrap_or(i64::MAX), ..self }
    }

    /// Whether it is the same file, whatever was written into it.
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        self.device == other.device && self.inode == other.inode
    }
}
