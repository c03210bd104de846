//! What the attribute accepts and what it refuses. Each case is named after what it documents.
//!
//! - `ui/pass` compiles, runs, and asserts what it did.
//! - `ui/fail` is refused in this project's words, on any toolchain alike.
//! - `ui/fail-rustc` is refused in the compiler's words, which change: those snapshots hold for
//!   the toolchain named below. For another one, look at what `TRYBUILD=overwrite` makes of them,
//!   and name it here.
//!
//! One case alone:
//! `cargo test -p cogency-state-tests --test ui -- refused trybuild=duplicate-argument`.

use std::process::Command;

/// The toolchain that worded `ui/fail-rustc`.
const TOOLCHAIN: &str = "rustc 1.95.0 ";

#[test]
fn accepted() {
    trybuild::TestCases::new().pass("ui/pass/*.rs");
}

#[test]
fn refused() {
    trybuild::TestCases::new().compile_fail("ui/fail/*.rs");
}

#[test]
fn refused_by_rustc() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    assert!(
        version.starts_with(TOOLCHAIN),
        "ui/fail-rustc is worded by {TOOLCHAIN}, this is {version}: run the test with that \
         toolchain, or review what `TRYBUILD=overwrite` makes of it and change `TOOLCHAIN`"
    );
    trybuild::TestCases::new().compile_fail("ui/fail-rustc/*.rs");
}
