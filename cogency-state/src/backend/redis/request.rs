//! What is sent to the server in one go.

use std::time::Duration;

use redis::{Cmd, Pipeline, Value};

use super::problem::Refusal;
use super::scripts::Script;
use super::slot::slot_of;

/// Some commands, or a script with what prepares it. It may be sent again and does no harm. All of
/// its keys are in one slot.
pub(super) struct Request {
    pub(super) pipeline: Pipeline,
    pub(super) commands: usize,
    pub(super) script: Option<&'static Script>,
    slot: Option<u16>,
    /// How many of the commands have no key.
    without_key: usize,
    /// How many bytes of values go out or come back, where that is many.
    bytes: usize,
    /// How long it waits for replicas at its end, if it does.
    waits: Option<Duration>,
    /// Whether an error in one answer says nothing about the others.
    is_each_for_itself: bool,
    /// Whether each command has another one ahead, whose answer does not count.
    is_asking: bool,
}

/// Whether a request holds up those behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Traffic {
    Small,
    Large,
    /// The server answers nothing else on a connection that waits for replicas, so there are some.
    Waiting(u16),
}

/// A larger value has a connection of its own, so that the others do not wait for it.
pub(super) const INLINE_BYTES: usize = 64 << 10;

/// How many connections may wait for replicas at the same time.
const WAITING: u16 = 8;

/// A command of these parts.
pub(super) fn command(parts: &[&[u8]]) -> Cmd {
    let bytes = parts.iter().map(|part| part.len()).sum();
    let mut command = Cmd::with_capacity(parts.len(), bytes);
    command.arg(parts);
    command
}

impl Request {
    pub(super) fn new() -> Self {
        Self {
            pipeline: redis::pipe(),
            commands: 0,
            script: None,
            slot: None,
            without_key: 0,
            bytes: 0,
            waits: None,
            is_each_for_itself: false,
            is_asking: false,
        }
    }

    /// One command.
    pub(super) fn one(command: Cmd) -> Self {
        Self::new().then(command)
    }

    /// The commands of several ones.
    pub(super) fn all<'a>(requests: impl IntoIterator<Item = &'a Self>) -> Self {
        let commands = requests.into_iter().flat_map(|request| request.pipeline.cmd_iter());
        commands.fold(Self::new(), |all, command| all.then(command.clone()))
    }

    /// Tells the server a script.
    pub(super) fn load(script: &Script) -> Self {
        let mut command = redis::cmd("SCRIPT");
        command.arg("LOAD").arg(script.source);
        Self::one(command)
    }

    /// A command whose first argument is its key.
    pub(super) fn then(mut self, command: Cmd) -> Self {
        let key = command.args_iter().nth(1);
        if let (None, Some(redis::Arg::Simple(key))) = (self.slot, key) {
            self.slot = Some(slot_of(key));
        }
        self.pipeline.add_command(command);
        self.commands += 1;
        self
    }

    /// A command that every server of a cluster answers.
    pub(super) fn then_without_key(mut self, command: Cmd) -> Self {
        self.pipeline.add_command(command);
        self.commands += 1;
        self.without_key += 1;
        self
    }

    pub(super) fn then_script(
        mut self,
        script: &'static Script,
        keys: &[&str],
        arguments: &[&[u8]],
    ) -> Self {
        self.slot = keys.first().map(|key| slot_of(key.as_bytes()));
        let count = keys.len().to_string();
        let mut parts = Vec::with_capacity(3 + keys.len() + arguments.len());
        parts.extend([b"EVALSHA", script.hash.as_bytes(), count.as_bytes()]);
        parts.extend(keys.iter().map(|key| key.as_bytes()));
        parts.extend_from_slice(arguments);
        Self { script: Some(script), ..self.then(command(&parts)) }
    }

    /// Waits until so many replicas have what it wrote, or the time is over. Its last answer is
    /// how many have it.
    pub(super) fn then_wait(self, replicas: u32, within: Duration) -> Self {
        let mut command = redis::cmd("WAIT");
        // For 0 milliseconds it would wait for ever.
        command.arg(replicas).arg(within.as_millis().max(1).to_string());
        Self { waits: Some(within), ..self.then(command) }
    }

    pub(super) fn of_bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    pub(super) fn each_for_itself(self) -> Self {
        Self { is_each_for_itself: true, ..self }
    }

    /// The same for a server that a slot is moving to.
    pub(super) fn asking(&self) -> Self {
        let mut pipeline = redis::pipe();
        for command in self.pipeline.cmd_iter() {
            pipeline.cmd("ASKING");
            pipeline.add_command(command.clone());
        }
        Self { pipeline, commands: 2 * self.commands, is_asking: true, ..*self }
    }

    /// The answers to its own commands.
    pub(super) fn answers(&self, answers: Vec<Value>) -> Vec<Value> {
        if self.is_asking { answers.into_iter().skip(1).step_by(2).collect() } else { answers }
    }

    /// The answer of the replicas, taken from the others.
    pub(super) fn waited(&self, answers: &mut Vec<Value>) -> Option<Value> {
        self.waits.and_then(|_| answers.pop())
    }

    pub(super) fn slot(&self) -> u16 {
        self.slot.unwrap_or_default()
    }

    pub(super) fn traffic(&self) -> Traffic {
        match (self.waits, self.bytes) {
            (Some(_), _) => Traffic::Waiting(self.slot() % WAITING),
            (None, 0) => Traffic::Small,
            (None, _) => Traffic::Large,
        }
    }

    /// How much longer than a small one it may take.
    pub(super) fn allowance(&self) -> Duration {
        /// What a slow network does.
        const BYTES_PER_SECOND: usize = 1 << 20;
        let sending = Duration::from_secs((self.bytes / BYTES_PER_SECOND) as u64);
        sending + self.waits.unwrap_or_default()
    }

    /// The error that its answers amount to. Of a script it is the script's: it may have done its
    /// work although what prepares it was refused, because an earlier try had prepared it. That
    /// it could not wait for replicas does not undo it.
    ///
    /// While a slot moves, some of its keys are on one server and some on the other. A request for
    /// both would see half of them on either, so it has to wait.
    pub(super) fn refusal(&self, answers: &[Value]) -> Option<Refusal> {
        if self.is_each_for_itself {
            return None;
        }
        let waits = usize::from(self.waits.is_some());
        let count = answers.len().saturating_sub(waits);
        let ahead = if self.script.is_some() { count.saturating_sub(1) } else { 0 };
        let counted = answers.iter().take(count).skip(ahead);
        let refusal = counted.clone().find_map(Refusal::in_answer)?;
        let stays = |answer: &&Value| !Refusal::in_answer(answer).is_some_and(|one| one.is_ask());
        if refusal.is_ask() && counted.filter(stays).count() > self.without_key {
            return Some(Refusal::of_a_moving_slot());
        }
        Some(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(answers: &str) -> Option<String> {
        let Value::Array(answers) = redis::parse_redis_value(answers.as_bytes()).unwrap() else {
            panic!("no answers");
        };
        let request = Request::one(redis::cmd("GET")).then(redis::cmd("TTL"));
        request.refusal(&answers).map(|refusal| refusal.to_string())
    }

    #[test]
    fn a_request_whose_keys_are_here_and_there_waits_until_they_are_in_one_place() {
        const ASK: &str = "-ASK 1 127.0.0.1:7000\r\n";
        assert_eq!(code_of("*2\r\n+OK\r\n:1\r\n"), None);
        assert!(code_of(&format!("*2\r\n{ASK}{ASK}")).unwrap().contains("`ASK 1"));
        for answers in [format!("*2\r\n{ASK}:1\r\n"), format!("*2\r\n:1\r\n{ASK}")] {
            assert!(code_of(&answers).unwrap().contains("`TRYAGAIN`"), "{answers}");
        }
        let answers = format!("*2\r\n{ASK}:1\r\n");
        let request = Request::one(redis::cmd("GET")).then_without_key(redis::cmd("TIME"));
        let Value::Array(answers) = redis::parse_redis_value(answers.as_bytes()).unwrap() else {
            panic!("no answers");
        };
        assert!(request.refusal(&answers).unwrap().is_ask());
        let moved = format!("*2\r\n-MOVED 1 127.0.0.1:7000\r\n{ASK}");
        assert!(code_of(&moved).unwrap().contains("`MOVED 1"));
    }
}
