//! What is sent to the server in one go.

use std::time::Duration;

use redis::{Cmd, Pipeline};

use super::scripts::Script;

/// Some commands, at most one of them a script. A request may be sent again and does no harm.
pub(super) struct Request {
    pub(super) pipeline: Pipeline,
    pub(super) commands: usize,
    pub(super) script: Option<&'static Script>,
    /// How many bytes of values go out or come back, where that is many.
    pub(super) bytes: usize,
}

impl Request {
    pub(super) fn new() -> Self {
        Self { pipeline: redis::pipe(), commands: 0, script: None, bytes: 0 }
    }

    /// One command.
    pub(super) fn one(command: Cmd) -> Self {
        Self::new().then(command)
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
        let mut command = redis::cmd("EVALSHA");
        command.arg(&script.hash).arg(keys.len()).arg(keys).arg(arguments);
        Self { script: Some(script), ..self.then(command) }
    }

    pub(super) fn of_bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// How much longer than a small one it may take.
    pub(super) fn allowance(&self) -> Duration {
        /// What a slow network does.
        const BYTES_PER_SECOND: usize = 1 << 20;
        Duration::from_secs((self.bytes / BYTES_PER_SECOND) as u64)
    }
}
