//! What is sent to the server in one go.

use std::time::Duration;

use redis::{Cmd, Pipeline, Value};

use super::problem::Refusal;
use super::scripts::Script;

/// Some commands, or a script with what prepares it. It may be sent again and does no harm.
pub(super) struct Request {
    pub(super) pipeline: Pipeline,
    pub(super) commands: usize,
    pub(super) script: Option<&'static Script>,
    /// How many bytes of values go out or come back, where that is many.
    bytes: usize,
}

/// Whether a request holds up those behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Size {
    Small,
    Large,
}

/// A command of these parts.
pub(super) fn command(parts: &[&[u8]]) -> Cmd {
    let bytes = parts.iter().map(|part| part.len()).sum();
    let mut command = Cmd::with_capacity(parts.len(), bytes);
    command.arg(parts);
    command
}

impl Request {
    pub(super) fn new() -> Self {
        Self { pipeline: redis::pipe(), commands: 0, script: None, bytes: 0 }
    }

    /// One command.
    pub(super) fn one(command: Cmd) -> Self {
        Self::new().then(command)
    }

    /// Tells the server a script.
    pub(super) fn load(script: &Script) -> Self {
        let mut command = redis::cmd("SCRIPT");
        command.arg("LOAD").arg(script.source);
        Self::one(command)
    }

    pub(super) fn then(mut self, command: Cmd) -> Self {
        self.pipeline.add_command(command);
        self.commands += 1;
        self
    }

    pub(super) fn then_script(
        self,
        script: &'static Script,
        keys: &[&str],
        arguments: &[&[u8]],
    ) -> Self {
        let count = keys.len().to_string();
        let mut parts = Vec::with_capacity(3 + keys.len() + arguments.len());
        parts.extend([b"EVALSHA", script.hash.as_bytes(), count.as_bytes()]);
        parts.extend(keys.iter().map(|key| key.as_bytes()));
        parts.extend_from_slice(arguments);
        Self { script: Some(script), ..self.then(command(&parts)) }
    }

    pub(super) fn of_bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    pub(super) fn size(&self) -> Size {
        if self.bytes == 0 { Size::Small } else { Size::Large }
    }

    /// How much longer than a small one it may take.
    pub(super) fn allowance(&self) -> Duration {
        /// What a slow network does.
        const BYTES_PER_SECOND: usize = 1 << 20;
        Duration::from_secs((self.bytes / BYTES_PER_SECOND) as u64)
    }

    /// The error that its answers amount to. Of a script it is the script's: it may have done its
    /// work although what prepares it was refused, because an earlier try had prepared it.
    pub(super) fn refusal(&self, answers: &[Value]) -> Option<Refusal> {
        let counted = if self.script.is_some() { answers.len().saturating_sub(1) } else { 0 };
        answers.iter().skip(counted).find_map(Refusal::in_answer)
    }
}
