//! Agents in processes of their own.

use std::path::Path;
use std::process::Command;

pub(crate) use cogency_state_tests::agent::{Agent, Said, What, saved, span};

/// The program, see its own documentation.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_agent");

pub(crate) fn start(command: &str, root: &Path, rest: &[&str]) -> Agent {
    Agent::spawn(Command::new(PROGRAM).arg(command).arg(root).args(rest))
}
