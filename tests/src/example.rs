//! The examples, as programs.

use std::path::PathBuf;
use std::process::Command;

const OF_A_PACKAGE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// An example, built. Cargo builds it for its own package only.
///
/// # Panics
/// If it does not compile.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    built_with(name, "")
}

/// An example with cargo features, built.
///
/// # Panics
/// If it does not compile.
#[must_use]
pub fn built_with(name: &str, features: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo tells a test about its package would make it build the dependencies anew.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| OF_A_PACKAGE.iter().any(|of| name.starts_with(of))) {
            cargo.env_remove(name);
        }
    }
    let output = cargo
        .args(["build", "--quiet", "--package", "cogency-state-examples", "--example", name])
        .args(["--features", features])
        .args(["--message-format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).unwrap();
    let messages = messages.lines().map(|line| serde_json::from_str(line).unwrap());
    let executable = |message: serde_json::Value| Some(message["executable"].as_str()?.to_owned());
    messages.filter_map(executable).next_back().unwrap().into()
}
