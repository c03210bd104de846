//! Programs of the system that tests need.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, Output};

/// Runs a program to its end, which must be a good one.
pub(crate) fn run<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) {
    try_run(program, arguments).unwrap_or_else(|error| panic!("{error}"));
}

/// Runs a program to its end.
pub(crate) fn try_run<A: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = A>,
) -> io::Result<Output> {
    let mut command = Command::new(program);
    let output = command.args(arguments).output().unwrap_or_else(|error| missing(program, &error));
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{command:?} failed: {said}")))
}

/// A test that cannot run is one that fails.
pub(crate) fn missing(program: &str, error: &io::Error) -> ! {
    let package = match program {
        "mkfs.ext4" => "e2fsprogs",
        "mount" | "umount" => "mount",
        other => other,
    };
    panic!("this test needs `{program}` (Debian package `{package}`): {error}")
}
