//! The program `agent`, seen from the tests that start it.

// As every test, it panics where something is not as it should be. What an agent said may be of no
// interest.
#![expect(clippy::missing_panics_doc, clippy::must_use_candidate)]

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

/// A running agent; killed when dropped.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Agent {
    /// Starts it.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// The next line that it says; empty at its end.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The next lines that it says.
    pub fn say(&mut self, lines: usize) -> Vec<Said> {
        (0..lines).filter_map(|_| Said::parse(&self.line())).collect()
    }

    /// Gives it an empty line.
    pub fn go_on(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as `kill -9` does, and tells what it said until then.
    pub fn kill(mut self) -> Vec<Said> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.rest()
    }

    /// Ends its stdin.
    pub fn close(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Ends its stdin, waits for its end, and tells what it said.
    pub fn finish(mut self) -> (ExitStatus, Vec<Said>) {
        self.close();
        let said = self.rest();
        (self.child.wait().unwrap(), said)
    }

    /// As [`finish`](Self::finish), for an agent that must not fail.
    pub fn succeed(self) -> Vec<Said> {
        let (status, said) = self.finish();
        assert!(status.success(), "the agent failed with {status}");
        said
    }

    fn rest(&mut self) -> Vec<Said> {
        let mut text = String::new();
        self.stdout.read_to_string(&mut text).unwrap();
        text.lines().filter_map(Said::parse).collect()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A line of an agent's about one save.
#[derive(Clone)]
pub struct Said {
    /// What it says.
    pub what: What,
    /// The page or the entry that was to be saved.
    pub number: u64,
    /// Whose state it is.
    pub user: String,
    /// Where it is.
    pub root: PathBuf,
}

/// What is said about a save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It is about to begin.
    Begin,
    /// It was acknowledged.
    Saved,
    /// It was acknowledged, and waits for the backend.
    Spooled,
    /// It was in doubt, and is there.
    Found,
    /// It was refused: nothing changed.
    Failed,
    /// It may have happened.
    Unknown,
    /// What is there is about to be deleted.
    Forget,
    /// It was deleted.
    Forgotten,
}

impl Said {
    /// `None` for other lines, and for one that a kill cut off.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let what = match words.next()? {
            "begin" => What::Begin,
            "saved" => What::Saved,
            "spooled" => What::Spooled,
            "found" => What::Found,
            "failed" => What::Failed,
            "unknown" => What::Unknown,
            "forget" => What::Forget,
            "forgotten" => What::Forgotten,
            _ => return None,
        };
        let number = words.next()?.parse().ok()?;
        let (user, root) = (words.next()?.to_owned(), words.next()?.into());
        Some(Self { what, number, user, root })
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, number, user, root } = self;
        write!(f, "{what:?} {number} {user} {}", root.display())
    }
}

/// The numbers of the acknowledged saves.
#[must_use]
pub fn saved(said: &[Said]) -> Vec<u64> {
    said.iter().filter(|said| said.what == What::Saved).map(|said| said.number).collect()
}

/// The lowest and the highest number that may be stored after this was said, where `before` was
/// stored before.
pub fn span<'a>(before: u64, said: impl IntoIterator<Item = &'a Said>) -> (u64, u64) {
    said.into_iter().fold((before, before), |(lowest, highest), said| match said.what {
        What::Begin => (lowest, said.number),
        What::Saved | What::Spooled | What::Found => (said.number, highest),
        What::Failed => (lowest, lowest),
        What::Unknown => (lowest, highest),
        What::Forget => (0, highest),
        What::Forgotten => (0, 0),
    })
}
