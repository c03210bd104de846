//! Who may read the files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::agent::{Agent, PROGRAM, saved};
use crate::place::{Place, names};

/// The modes of all files, or of all folders, from one on downwards.
fn modes(path: &Path, of_folders: bool) -> Vec<u32> {
    let metadata = fs::symlink_metadata(path).unwrap();
    let mut modes = Vec::new();
    if metadata.is_dir() == of_folders {
        modes.push(metadata.permissions().mode() & 0o7777);
    }
    for name in names(path) {
        modes.extend(self::modes(&path.join(name), of_folders));
    }
    modes
}

#[test]
fn original_defect_files_were_readable_by_everybody() {
    for umask in ["000", "002", "022", "027", "077"] {
        let place = Place::new();
        let new = place.outside().join("new");
        let root = new.join("folders/state");
        let under_umask = format!("umask {umask} && exec \"$@\"");
        for number in [1, 2] {
            let mut shell = Command::new("sh");
            shell.args(["-c", &under_umask, "sh", PROGRAM, "turn"]).arg(&root).arg("alice");
            assert_eq!(saved(&Agent::spawn(&mut shell).succeed()), [number]);
            assert_eq!(modes(&new, false), [0o600; 3], "files under umask {umask}");
            assert_eq!(modes(&new, true), [0o700; 5], "folders under umask {umask}");
        }
    }
}
