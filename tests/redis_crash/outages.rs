//! The server is killed and restarted while many processes use it.
//!
//! A long campaign, which prints its figures:
//! ```text
//! COGENCY_REDIS_ROUNDS=20 cargo test -p cogency-state-tests --test redis_crash server -- --nocapture
//! ```

use std::thread;
use std::time::{Duration, Instant};

use cogency_state_tests::agent::What;
use cogency_state_tests::redis::RedisServer;

use crate::agents::{Watched, start};
use crate::ledgers::{Testimony, check};

const AGENTS: u64 = 8;
const CALLS: usize = 500;
/// The server is up for so long, more or less.
const UP: Duration = Duration::from_secs(2);
/// It is away for up to so long...
const AWAY: Duration = Duration::from_secs(1);
/// ... but once for longer than a client asks again, and than a lease lasts.
const LONG_AWAY: Duration = Duration::from_secs(6);
/// Where a state is kept whole at all.
const WHOLE_UP_TO: u64 = 65536;
/// Nothing hangs.
const LONGEST: Duration = Duration::from_secs(300);
/// Two seconds are promised; where others use the machine too it may take longer.
const RECOVERY: Duration = Duration::from_secs(10);

#[test]
fn promise_05_and_08_eight_processes_lose_nothing_and_repeat_nothing_while_the_server_is_killed() {
    let rounds = std::env::var("COGENCY_REDIS_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
    let server = RedisServer::start();
    for round in 0..rounds {
        let users: Vec<String> = (0..4).map(|user| format!("user-{round}-{user}")).collect();
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        let longest = one_round(&server, &users);
        assert!(longest < RECOVERY, "a process needed {longest:?}");
    }
}

/// Gives the longest time from the server's return to a process's next acknowledged save.
fn one_round(server: &RedisServer, users: &[&str]) -> Duration {
    let calls = CALLS.to_string();
    let agents: Vec<_> = (0..AGENTS)
        .map(|agent| {
            // Some keep each state whole, some in its history: the same ones, in turn.
            let url = format!("{}?whole={}", server.url(), agent % 2 * WHOLE_UP_TO);
            let agent = agent.to_string();
            let arguments = [&[agent.as_str(), &calls], users].concat();
            Watched::new(start("enter", &url, &arguments))
        })
        .collect();
    let started = Instant::now();
    let returns = kill_until(server, || {
        assert!(started.elapsed() < LONGEST, "the processes do not come to their end");
        agents.iter().all(Watched::has_ended)
    });
    let told: Testimony = (0..).zip(agents.into_iter().map(Watched::succeed)).collect();
    let figures = check(&server.url(), users, &told);
    let longest = recoveries(&returns, &told).max().unwrap();
    println!(
        "{} outages in {:?}: {figures:?}; the longest recovery took {longest:?}",
        returns.len(),
        started.elapsed()
    );
    assert_eq!(figures.acknowledged + figures.found, CALLS * told.len());
    assert!(returns.len() > 2, "the server was hardly ever killed");
    // Fencing refuses what should not have begun: leases see to it that this is rare.
    let most = returns.len() * told.len();
    assert!(figures.refused <= most, "{} calls ran while another had the key", figures.refused);
    longest
}

/// Kills the server again and again; gives when it was back.
fn kill_until(server: &RedisServer, is_over: impl Fn() -> bool) -> Vec<Instant> {
    let mut returns = Vec::new();
    while !is_over() {
        thread::sleep(UP.mul_f64(0.5 + fastrand::f64()));
        server.kill();
        let away = if returns.len() == 1 { LONG_AWAY } else { AWAY.mul_f64(fastrand::f64()) };
        thread::sleep(away);
        server.restart();
        returns.push(Instant::now());
    }
    returns
}

fn recoveries(returns: &[Instant], told: &Testimony) -> impl Iterator<Item = Duration> {
    returns.iter().flat_map(move |back| {
        told.values().filter_map(move |told| {
            let after = told.iter().find(|told| told.at >= *back && told.said.what == What::Saved);
            Some(after?.at - *back)
        })
    })
}
