//! Folders and files that are opened by name below an open folder, never through a link.

use std::fs::File;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

/// A folder that is held open.
#[derive(Debug)]
pub(crate) struct Folder(File);

/// Tells a folder from one that was made in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    /// `None` where the file system does not tell.
    born: Option<SystemTime>,
}

const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);

impl Folder {
    /// Opens a folder by its path, through links: this one is the user's choice.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        found(rustix::fs::open(path, flags, Mode::empty())).map(|fd| fd.map(|fd| Self(fd.into())))
    }

    /// Opens a folder by its path, made with all that leads to it if it is not there.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        if let Some(folder) = Self::open(path)? {
            return Ok(folder);
        }
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Self::open(path)?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Opens the folder of this name in here.
    pub(crate) fn open_folder(&self, name: &str) -> io::Result<Option<Self>> {
        found(self.try_open_folder(name)).map_err(|error| not_through(name, error))
    }

    /// Opens the folder of this name in here. `None` also where the name is a link's, or that of
    /// something else.
    pub(crate) fn open_if_folder(&self, name: &str) -> io::Result<Option<Self>> {
        match self.try_open_folder(name) {
            Err(Errno::LOOP | Errno::NOTDIR) => Ok(None),
            opened => found(opened),
        }
    }

    fn try_open_folder(&self, name: &str) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.0, name, flags, Mode::empty())?;
        Ok(Self(fd.into()))
    }

    /// Opens the folder of this name in here, made if it is not there. `None` if this folder or
    /// the new one is removed at the same time.
    pub(crate) fn create_folder(&self, name: &str) -> io::Result<Option<Self>> {
        if let Some(folder) = self.open_folder(name)? {
            return Ok(Some(folder));
        }
        match rustix::fs::mkdirat(&self.0, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => self.open_folder(name),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens a file for reading, if it is there. Does not wait for the writer of a pipe.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<Option<File>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = found(rustix::fs::openat(&self.0, name, flags, Mode::empty()))
            .map_err(|error| not_through(name, error))?;
        Ok(fd.map(Into::into))
    }

    /// Opens a file for reading and writing, if it is there.
    pub(crate) fn open_file_to_write(&self, name: &str) -> io::Result<Option<File>> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = found(rustix::fs::openat(&self.0, name, flags, Mode::empty()))
            .map_err(|error| not_through(name, error))?;
        Ok(fd.map(Into::into))
    }

    /// Locks this folder itself, unless somebody else has. It stays locked until it is closed.
    pub(crate) fn try_lock(&self) -> io::Result<bool> {
        match rustix::fs::flock(&self.0, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Unlocks it also where a child process has a copy of it.
    pub(crate) fn unlock(&self) {
        // What cannot be unlocked is free when the last copy is closed.
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }

    /// Opens a file for reading and writing, made if it is not there. `None` if this folder was
    /// removed.
    pub(crate) fn open_or_create_file(&self, name: &str) -> io::Result<Option<File>> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = found(rustix::fs::openat(&self.0, name, flags, PRIVATE_FILE))
            .map_err(|error| not_through(name, error))?;
        Ok(fd.map(Into::into))
    }

    /// Makes a file that was not there, for writing.
    pub(crate) fn create_new_file(&self, name: &str) -> io::Result<File> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, name, flags, PRIVATE_FILE)?.into())
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?)
    }

    /// Moves a file to another folder of the same file system.
    pub(crate) fn move_to(&self, name: &str, other: &Self, new_name: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, name, &other.0, new_name)?)
    }

    /// Removes a file, or a link itself. `false` if there was none.
    pub(crate) fn remove_file(&self, name: &str) -> io::Result<bool> {
        found(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())).map(|gone| gone.is_some())
    }

    /// Removes a folder if it is empty.
    pub(crate) fn remove_empty_folder(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// What stands under a name, of a link the link.
    pub(crate) fn stat(&self, name: &str) -> io::Result<Option<Stat>> {
        found(rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW))
    }

    /// The names in here, in no order, without those that are not UTF-8: we give no such names.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            match entry?.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => names.push(name.to_owned()),
            }
        }
        Ok(names)
    }

    pub(crate) fn identity(&self) -> io::Result<Identity> {
        let folder = self.0.metadata()?;
        let (device, inode) = (folder.dev(), folder.ino());
        Ok(Identity { device, inode, born: folder.created().ok() })
    }

    /// Keeps all others out.
    #[cfg(feature = "archive")]
    pub(crate) fn make_private(&self) -> io::Result<()> {
        Ok(rustix::fs::fchmod(&self.0, Mode::RWXU)?)
    }

    /// Makes the names in here survive a power cut.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// Makes the names of a folder, and of those that lead to it, survive a power cut.
pub(crate) fn sync_above(path: &Path) -> io::Result<()> {
    for ancestor in path.ancestors().skip(1) {
        match Folder::open(ancestor) {
            Ok(Some(ancestor)) => ancestor.sync()?,
            Ok(None) => return Err(io::ErrorKind::NotFound.into()),
            // What we may not even read, we did not make.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether two looks saw one and the same file.
pub(crate) fn same_file(a: &Stat, b: &Stat) -> bool {
    a.st_dev == b.st_dev && a.st_ino == b.st_ino
}

/// Absence is an answer, not an error.
fn found<R>(result: Result<R, Errno>) -> io::Result<Option<R>> {
    match result {
        Ok(result) => Ok(Some(result)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Says what stands where a file or folder of ours should be.
fn not_through(name: &str, error: io::Error) -> io::Error {
    match Errno::from_io_error(&error) {
        Some(Errno::LOOP | Errno::NOTDIR | Errno::ISDIR) => io::Error::new(
            error.kind(),
            format!(
                "`{name}` is a link, or not what belongs here: remove it, links are not followed"
            ),
        ),
        _ => error,
    }
}
