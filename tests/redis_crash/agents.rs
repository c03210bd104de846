//! Agents in processes of their own, on a Redis server.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use cogency_state_tests::agent::{Agent, Said, What};
use rustix::process::{Pid, Signal, kill_process};

/// The program, see its own documentation.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_agent");

/// Starts one, and waits until it runs.
pub(crate) fn start(command: &str, url: &str, rest: &[&str]) -> Agent {
    start_as(&mut Command::new(PROGRAM), command, url, rest)
}

/// The same through a command that runs the program.
pub(crate) fn start_as(program: &mut Command, command: &str, url: &str, rest: &[&str]) -> Agent {
    let mut agent = Agent::spawn(program.arg(command).arg(url).args(rest));
    assert_eq!(agent.line(), "ready");
    agent
}

pub(crate) fn signal(process: u32, signal: Signal) {
    let process = Pid::from_raw(process.try_into().unwrap()).unwrap();
    kill_process(process, signal).unwrap();
}

/// What was said, and when.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) at: Instant,
    pub(crate) said: Said,
}

/// An agent that is listened to.
pub(crate) struct Watched {
    process: u32,
    saves_begun: Arc<AtomicUsize>,
    listener: JoinHandle<(bool, Vec<Told>)>,
}

impl Watched {
    pub(crate) fn new(mut agent: Agent) -> Self {
        let process = agent.id();
        let saves_begun = Arc::new(AtomicUsize::new(0));
        let begun = Arc::clone(&saves_begun);
        let listener = thread::spawn(move || {
            let mut told = Vec::new();
            loop {
                let line = agent.line();
                if line.is_empty() {
                    return (agent.finish().0.success(), told);
                }
                let at = Instant::now();
                let Some(said) = Said::parse(&line) else { continue };
                begun.fetch_add(usize::from(said.what == What::Begin), Ordering::SeqCst);
                told.push(Told { at, said });
            }
        });
        Self { process, saves_begun, listener }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.listener.is_finished()
    }

    /// Waits until it is about to save.
    pub(crate) fn wait_for_a_save(&self) {
        let before = self.saves_begun.load(Ordering::SeqCst);
        while self.saves_begun.load(Ordering::SeqCst) == before && !self.has_ended() {
            thread::sleep(Duration::from_micros(100));
        }
    }

    /// What it said until its end, which must be a good one.
    pub(crate) fn succeed(self) -> Vec<Told> {
        let (is_good, told) = self.listener.join().unwrap();
        assert!(is_good, "an agent failed; the last that it said is {:?}", told.last());
        told
    }

    /// Kills it, as `kill -9` does, and tells what it said until then.
    pub(crate) fn kill(self) -> Vec<Told> {
        assert!(!self.has_ended(), "an agent failed: {:?}", self.succeed().last());
        signal(self.process, Signal::KILL);
        self.listener.join().unwrap().1
    }
}
