//! Processes whose clock jumps. The library `libfaketime` tells them the time that is in a file.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use cogency_state::{Error, Metadata, RedisBackend, SavedAt, StateKey, StateManager};
use cogency_state_tests::agent::Agent;
use cogency_state_tests::ledger::Ledger;
use cogency_state_tests::page::Page;
use tempfile::TempDir;

use crate::agents::{PROGRAM, Watched, start, start_as};
use crate::holders::{SLACK, TTL, place};
use crate::ledgers::{Testimony, block_on, check};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A jump that shows.
const FAR: Duration = DAY.saturating_mul(300);

/// The library, by the name that the dynamic linker takes.
static LIBRARY: LazyLock<String> = LazyLock::new(|| {
    let mut command = Command::new("faketime");
    command.args(["-f", "+0", "sh", "-c", r#"printf %s "$LD_PRELOAD""#]);
    let output = command.output().expect("`faketime` is missing: `tests/run` installs it");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
});

/// A clock on the wall that can be set while processes look at it.
struct Clock {
    folder: TempDir,
}

impl Clock {
    fn new() -> Self {
        let clock = Self { folder: tempfile::tempdir().unwrap() };
        clock.jump_to("+0");
        clock
    }

    /// Sets it to so much before or after the true time, such as `-400d`.
    fn jump_to(&self, offset: &str) {
        let fresh = self.folder.path().join("fresh");
        fs::write(&fresh, offset).unwrap();
        fs::rename(fresh, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("clock")
    }

    /// An agent that goes by it. What it takes to measure durations is not a clock on the wall: it
    /// goes on evenly.
    fn start(&self, command: &str, url: &str, rest: &[&str]) -> Agent {
        let mut program = Command::new(PROGRAM);
        program.env("LD_PRELOAD", &*LIBRARY).env("FAKETIME_TIMESTAMP_FILE", self.file());
        program.envs([("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]);
        start_as(&mut program, command, url, rest)
    }
}

fn open(url: &str) -> StateManager {
    let backend = RedisBackend::new(url).unwrap();
    StateManager::builder(backend).wait(TTL * 3).build()
}

fn key(user: &str) -> StateKey {
    StateKey::for_user(user).unwrap()
}

/// How far the clock of whoever saved last was off.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Saved {
    LongAgo,
    Now,
    InAFarFuture,
}

fn saved(metadata: &Metadata) -> Saved {
    let Some(SavedAt::Time(time)) = metadata.saved_at else { panic!("{metadata:?}") };
    let now = SystemTime::now();
    if time < now - FAR {
        Saved::LongAgo
    } else if time > now + FAR {
        Saved::InAFarFuture
    } else {
        Saved::Now
    }
}

#[test]
fn promise_05_a_clock_that_jumps_on_some_clients_loses_nothing_and_repeats_nothing() {
    const CALLS: usize = 150;
    const USERS: [&str; 2] = ["alice", "bob"];
    let (url, clock, calls) = (place(), Clock::new(), CALLS.to_string());
    let agents: Vec<_> = (0..6_u64)
        .map(|agent| {
            let name = agent.to_string();
            let arguments = [&[name.as_str(), &calls], &USERS[..]].concat();
            Watched::new(match agent % 2 {
                0 => clock.start("enter", &url, &arguments),
                _ => start("enter", &url, &arguments),
            })
        })
        .collect();
    let (manager, mut seen) = (open(&url), BTreeSet::new());
    for offset in ["+400d", "-400d", "+3s", "-1h"].into_iter().cycle() {
        if agents.iter().all(Watched::has_ended) {
            break;
        }
        clock.jump_to(offset);
        let until = Instant::now() + Duration::from_millis(200);
        while Instant::now() < until {
            let loaded = block_on(manager.load_state::<Ledger>(&key("alice"))).unwrap();
            seen.extend(loaded.map(|loaded| saved(&loaded.metadata)));
            thread::sleep(Duration::from_millis(2));
        }
    }
    let told: Testimony = (0..).zip(agents.into_iter().map(Watched::succeed)).collect();
    let figures = check(&url, &USERS, &told);
    println!("{figures:?}");
    assert_eq!(figures.acknowledged, CALLS * told.len());
    // On a busy machine a process may stand still for as long as a lease lasts.
    assert!(
        figures.refused < told.len(),
        "{} calls ran while another had the key",
        figures.refused
    );
    let all = [Saved::LongAgo, Saved::Now, Saved::InAFarFuture];
    assert!(seen.iter().eq(&all), "the clocks did not jump: {seen:?}");
}

#[test]
fn promise_06_a_holder_whose_clock_jumps_keeps_its_key() {
    let (url, clock) = (place(), Clock::new());
    let mut agent = clock.start("step", &url, &["alice"]);
    let manager = open(&url);
    for (offset, due) in [("+400d", Saved::InAFarFuture), ("-400d", Saved::LongAgo)] {
        assert_eq!(agent.line(), "held");
        clock.jump_to(offset);
        // For several times as long as a lease lasts: so it is renewed.
        let error = block_on(manager.begin::<Page>(&key("alice"))).unwrap_err();
        assert!(matches!(error, Error::LeaseTimeout { .. }), "{error}");
        agent.go_on();
        assert_eq!(agent.say(2).len(), 2);
        let loaded = block_on(manager.load_state::<Page>(&key("alice"))).unwrap().unwrap();
        assert_eq!(saved(&loaded.metadata), due);
    }
}

#[test]
fn promise_06_a_client_whose_clock_is_wrong_does_not_take_a_key_before_its_time() {
    let (url, clock) = (place(), Clock::new());
    let manager = open(&url);
    for offset in ["+400d", "-400d"] {
        clock.jump_to(offset);
        let mut call = block_on(manager.begin::<Page>(&key("alice"))).unwrap();
        let waiting = clock.start("turn", &url, &["alice"]);
        thread::sleep(TTL * 3);
        call.state.turn();
        let number = call.state.number;
        block_on(call.commit()).unwrap();
        let said = waiting.succeed();
        assert!(said.iter().all(|said| said.number == number + 1), "{offset}: {said:?}");
    }
}

#[test]
fn promise_06_a_killed_holders_key_is_free_in_time_whatever_its_clock_said() {
    let (url, clock) = (place(), Clock::new());
    for offset in ["+400d", "-400d"] {
        clock.jump_to(offset);
        let mut killed = clock.start("step", &url, &["alice"]);
        assert_eq!(killed.line(), "held");
        killed.kill();
        let since = Instant::now();
        let mut next = start("step", &url, &["alice"]);
        assert_eq!(next.line(), "held");
        assert!(since.elapsed() < TTL + SLACK, "{offset}: {:?}", since.elapsed());
        next.succeed();
    }
}
