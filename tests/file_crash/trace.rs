//! What an agent asks of the operating system, seen with strace.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::agent::{Agent, PROGRAM};
use crate::programs::missing;

const CALLS: &str = "trace=open,openat,mkdir,mkdirat,write,writev,pwrite64,fdatasync,fsync,rename,\
                     renameat,renameat2,unlink,unlinkat";

/// One system call: `name(arguments) = result`, where strace put the path behind each open file.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) thread: String,
    pub(crate) name: String,
    pub(crate) arguments: String,
    pub(crate) result: String,
}

impl Call {
    /// Whether it is this call, and each of these parts is in its arguments.
    pub(crate) fn is(&self, name: &str, parts: &[&str]) -> bool {
        self.name == name && parts.iter().all(|part| self.arguments.contains(part))
    }

    /// Whether it succeeded and is this call on the open file of this path.
    pub(crate) fn is_on(&self, name: &str, path: &Path) -> bool {
        self.name == name
            && !self.result.starts_with('-')
            && self.arguments.contains(&format!("<{}>", path.display()))
    }
}

/// The system calls of an agent's command with these arguments, in order. The log of them is kept in `work`.
pub(crate) fn of(command: &str, root: &Path, user: &str, work: &Path) -> Vec<Call> {
    with(CALLS, command, root, user, work)
}

/// The same under one more rule of strace's.
pub(crate) fn with(rule: &str, command: &str, root: &Path, user: &str, work: &Path) -> Vec<Call> {
    let log = work.join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-qq", "-s", "64", "-e", CALLS, "-e", rule, "-o"]).arg(&log);
    strace.args([PROGRAM, command]).arg(root).args(user.split(' '));
    strace.env("COGENCY_ONE_THREAD", "1");
    if let Err(error) = Command::new("strace").arg("-V").output() {
        missing("strace", &error);
    }
    Agent::spawn(&mut strace).succeed();
    parse(&fs::read_to_string(&log).unwrap())
}

fn parse(log: &str) -> Vec<Call> {
    // A call that another thread's interrupts is told in two parts; what counts is its end.
    let mut begun = HashMap::new();
    let mut calls = Vec::new();
    for line in log.lines() {
        let (thread, text) = line.split_once(' ').unwrap();
        let text = text.trim_start();
        let text = if let Some(first) = text.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, first);
            continue;
        } else if let Some((_, rest)) = text.split_once(" resumed>") {
            format!("{}{rest}", begun.remove(thread).unwrap_or_default())
        } else {
            text.to_owned()
        };
        let Some((call, result)) = text.rsplit_once(" = ") else { continue };
        let Some((name, arguments)) = call.split_once('(') else { continue };
        let (thread, name) = (thread.to_owned(), name.to_owned());
        let (arguments, result) = (arguments.to_owned(), result.to_owned());
        calls.push(Call { thread, name, arguments, result });
    }
    calls
}
