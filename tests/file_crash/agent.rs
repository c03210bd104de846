//! Agents in processes of their own.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

/// The program, see its own documentation.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_agent");

/// A running agent; killed when dropped.
pub(crate) struct Agent {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Agent {
    pub(crate) fn start(command: &str, root: &Path, rest: &[&str]) -> Self {
        Self::spawn(Command::new(PROGRAM).arg(command).arg(root).args(rest))
    }

    /// For an agent that is going to fail: what it says about that is of no interest.
    pub(crate) fn start_quietly(command: &str, root: &Path, rest: &[&str]) -> Self {
        let mut program = Command::new(PROGRAM);
        Self::spawn(program.arg(command).arg(root).args(rest).stderr(Stdio::null()))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// The next line that it says.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The next lines that it says.
    pub(crate) fn say(&mut self, lines: usize) -> Vec<Said> {
        (0..lines).filter_map(|_| Said::parse(&self.line())).collect()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as `kill -9` does, and tells what it said until then.
    pub(crate) fn kill(mut self) -> Vec<Said> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.rest()
    }

    /// Ends its stdin.
    pub(crate) fn close(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Ends its stdin, waits for its end, and tells what it said.
    pub(crate) fn finish(mut self) -> (ExitStatus, Vec<Said>) {
        self.close();
        let said = self.rest();
        (self.child.wait().unwrap(), said)
    }

    /// As [`finish`](Self::finish), for an agent that must not fail.
    pub(crate) fn succeed(self) -> Vec<Said> {
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
pub(crate) struct Said {
    pub(crate) what: What,
    pub(crate) number: u64,
    pub(crate) user: String,
    pub(crate) root: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Begin,
    Saved,
    /// The save was refused: nothing changed.
    Failed,
    Forget,
    Forgotten,
}

impl Said {
    /// `None` for other lines, and for one that a kill cut off.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let what = match words.next()? {
            "begin" => What::Begin,
            "saved" => What::Saved,
            "failed" => What::Failed,
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
pub(crate) fn saved(said: &[Said]) -> Vec<u64> {
    said.iter().filter(|said| said.what == What::Saved).map(|said| said.number).collect()
}

/// The lowest and the highest number that may be stored after this was said, where `before` was
/// stored before.
pub(crate) fn span<'a>(before: u64, said: impl IntoIterator<Item = &'a Said>) -> (u64, u64) {
    said.into_iter().fold((before, before), |(lowest, highest), said| match said.what {
        What::Begin => (lowest, said.number),
        What::Saved => (said.number, highest),
        What::Failed => (lowest, lowest),
        What::Forget => (0, highest),
        What::Forgotten => (0, 0),
    })
}
