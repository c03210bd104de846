//! Agents that are cut off.

use std::process::{Command, Stdio};

use crate::agent::{Agent, PROGRAM};
use crate::disk::Disk;
use crate::words::OLD_USERS;

/// A file by which agents see whether the disk is still there.
const WITNESS: &str = "witness";

/// Up to which size states stand in their rows, by turns: all of them do, or none.
pub(crate) fn whole_up_to(nth: u64) -> u64 {
    if nth.is_multiple_of(2) { 64 << 10 } else { 0 }
}

/// What one writer does not sync, another's sync writes out: so each writes alone, too.
pub(crate) fn start_writers(disk: &Disk, nth: u64, url: &str) -> Vec<Agent> {
    let (new, deleted) = (format!("new-{nth}"), format!("deleted-{nth}"));
    let writers: [(&str, &[&str]); 3] =
        [("write", &OLD_USERS), ("meet", &[&new]), ("part", &[&deleted])];
    let chosen = nth % 7 + 1;
    let witness = disk.point.join(WITNESS);
    std::fs::write(&witness, "").unwrap();
    let mut running = Vec::new();
    for (bit, (command, rest)) in writers.into_iter().enumerate() {
        if chosen >> bit & 1 != 0 {
            let mut program = Command::new(PROGRAM);
            program.env("COGENCY_WITNESS", &witness).stderr(Stdio::null());
            running.push(Agent::spawn(program.arg(command).arg(url).args(rest)));
        }
    }
    for agent in &mut running {
        assert_eq!(agent.line(), "ready");
    }
    running
}
