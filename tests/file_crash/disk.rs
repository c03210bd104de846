//! A small disk of a test's own: a file with an ext4 in it, mounted through a loop device.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::syncfs;
use tempfile::TempDir;

use crate::programs::{run, try_run};

/// `EXT4_IOC_SHUTDOWN`, `_IOR('X', 125, u32)`, with the flag NOLOGFLUSH: what is not in the
/// journal on the disk at this moment is gone, and nothing can be written any more. From perl,
/// because Rust has no safe way to make the call.
const CUT: &str = "my $flags = pack('L', 2); open(my $disk, '<', $ARGV[0]) or die $!; \
                   ioctl($disk, 0x8004587d, $flags) or die $!";

/// Without the option a rename over a file would write out the new one's data by itself: other
/// file systems do not do that, so neither does this one.
const OPTIONS: &str = "loop,noauto_da_alloc";

/// An ext4, unmounted when dropped.
pub(crate) struct Disk {
    temp: TempDir,
    pub(crate) point: PathBuf,
}

impl Disk {
    pub(crate) fn new(megabytes: u64) -> Self {
        let temp = TempDir::new().unwrap();
        let point = temp.path().join("disk");
        let disk = Self { temp, point };
        File::create(disk.image()).unwrap().set_len(megabytes << 20).unwrap();
        run("mkfs.ext4", [Path::new("-q"), &disk.image()]);
        std::fs::create_dir(&disk.point).unwrap();
        disk.mount();
        disk
    }

    fn image(&self) -> PathBuf {
        self.temp.path().join("image")
    }

    fn mount(&self) {
        let options: [OsString; 4] =
            ["-o".into(), OPTIONS.into(), self.image().into(), self.point.clone().into()];
        run("mount", options);
    }

    /// Mounts it for reading only, or for writing again.
    pub(crate) fn remount(&self, mode: &str) {
        run("mount", ["-o", &format!("remount,{mode}"), self.point.to_str().unwrap()]);
    }

    /// Takes all the space that is left, with a file.
    pub(crate) fn fill(&self) -> PathBuf {
        let path = self.point.join("filler");
        let mut filler = File::create(&path).unwrap();
        for size in [1 << 20, 4096] {
            while filler.write_all(&vec![b'x'; size]).and_then(|()| filler.sync_all()).is_ok() {}
        }
        path
    }

    /// Waits until everything is on the disk.
    pub(crate) fn calm(&self) {
        syncfs(File::open(&self.point).unwrap()).unwrap();
    }

    /// Cuts its power.
    pub(crate) fn cut(&self) {
        run("perl", ["-e", CUT, self.point.to_str().unwrap()]);
    }

    /// Switches it on again: the journal is replayed.
    pub(crate) fn restart(&self) {
        let started = Instant::now();
        // A process that another test is just starting has a copy of what is open here.
        while let Err(error) = try_run("umount", [&self.point]) {
            assert!(started.elapsed() < Duration::from_secs(10), "{error}");
            thread::sleep(Duration::from_millis(5));
        }
        self.mount();
    }
}

/// Also when a test fails with files open: then the disk goes, with its loop device, as soon as
/// they are closed.
impl Drop for Disk {
    fn drop(&mut self) {
        if try_run("umount", [&self.point]).is_err() {
            let _ = try_run("umount", [Path::new("-l"), &self.point]);
        }
    }
}
