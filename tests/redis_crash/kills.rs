//! Processes are killed at any moment while others go on with the same keys.
//!
//! A long campaign, which prints its figures:
//! ```text
//! COGENCY_REDIS_KILLS=2000 cargo test -p cogency-state-tests --test redis_crash killed -- --nocapture
//! ```

use std::thread;
use std::time::{Duration, Instant};

use cogency_state_tests::agent::What;
use cogency_state_tests::redis::RedisServer;

use crate::agents::{Told, Watched, start};
use crate::holders::{SLACK, TTL, url};
use crate::ledgers::{Testimony, check};

const AGENTS: usize = 6;
const USERS: [&str; 4] = ["alice", "bob", "carol", "dave"];
const KILLS: usize = 40;
/// Between two kills.
const LONGEST_PAUSE: Duration = Duration::from_millis(300);
/// Half of the kills come within so long after a save has begun.
const LONGEST_SAVE: Duration = Duration::from_millis(4);
/// After so many kills, and as many agents, the users are new ones: a ledger is read as a whole.
const KILLS_OF_A_ROUND: usize = 100;

#[test]
fn promise_05_and_06_processes_that_are_killed_at_any_moment_leave_exact_totals_and_free_keys() {
    let kills = std::env::var("COGENCY_REDIS_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let server = RedisServer::start();
    for first in (0..kills).step_by(KILLS_OF_A_ROUND) {
        let url = url(&server, &format!("round-{first}"));
        one_round(&url, KILLS_OF_A_ROUND.min(kills - first));
    }
}

fn one_round(url: &str, kills: usize) {
    let started = Instant::now();
    let mut told = Testimony::new();
    let mut numbers = 0..;
    let mut fresh = || numbers.next().map(|number| (number, agent(url, number))).unwrap();
    let mut agents: Vec<_> = (0..AGENTS).map(|_| fresh()).collect();
    for _ in 0..kills {
        thread::sleep(LONGEST_PAUSE.mul_f64(fastrand::f64()));
        let (number, killed) = agents.swap_remove(fastrand::usize(..AGENTS));
        if fastrand::bool() {
            killed.wait_for_a_save();
            thread::sleep(LONGEST_SAVE.mul_f64(fastrand::f64()));
        }
        told.insert(number, killed.kill());
        agents.push(fresh());
    }
    // Those that held a key at the last kill may have to wait for it.
    thread::sleep(TTL * 2);
    told.extend(agents.into_iter().map(|(number, agent)| (number, agent.kill())));
    let figures = check(url, &USERS, &told);
    let longest = USERS.map(|user| longest_standstill(user, &told, started)).into_iter().max();
    let longest = longest.unwrap();
    println!(
        "{} kills in {:?}: {figures:?}; a user's ledger stood still for at most {longest:?}",
        told.len(),
        started.elapsed()
    );
    assert!(figures.untold > 0, "no kill came while a save was under way");
    assert!(figures.refused < kills, "{} calls ran while another had the key", figures.refused);
    assert!(longest < TTL + SLACK, "a key was not free for {longest:?}");
}

/// An agent that goes on until it is killed.
fn agent(url: &str, number: u64) -> Watched {
    // Some keep each state whole, some in its history: the same ones, in turn.
    let url = format!("{url}&whole={}", number % 2 * 65536);
    let (number, calls) = (number.to_string(), u64::MAX.to_string());
    let arguments = [&[number.as_str(), &calls], &USERS[..]].concat();
    Watched::new(start("enter", &url, &arguments))
}

/// The longest time without a save.
fn longest_standstill(user: &str, told: &Testimony, started: Instant) -> Duration {
    let is_saved = |told: &&Told| told.said.user == user && told.said.what == What::Saved;
    let mut saves: Vec<_> = told.values().flatten().filter(is_saved).map(|told| told.at).collect();
    saves.push(started);
    saves.sort_unstable();
    saves.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
}
