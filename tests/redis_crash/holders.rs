//! Processes that are paused or killed while they hold a key.

use std::time::{Duration, Instant};

use cogency_state_tests::agent::Agent;
use cogency_state_tests::redis::{RedisServer, fresh_prefix, shared};
use rustix::process::Signal;

use crate::agents::{signal, start};

/// How long a lease lasts here.
pub(crate) const TTL: Duration = Duration::from_secs(1);
/// What a busy machine may need on top of that.
pub(crate) const SLACK: Duration = Duration::from_secs(9);

/// States of one test's own on a server that nobody hurts.
pub(crate) fn place() -> String {
    url(shared(), &fresh_prefix())
}

pub(crate) fn url(server: &RedisServer, prefix: &str) -> String {
    format!("{}?prefix={prefix}&lease_ttl={}ms", server.url(), TTL.as_millis())
}

/// An agent that has the key; it may have to wait for it.
fn holder(url: &str) -> Agent {
    let mut agent = start("step", url, &["alice"]);
    assert_eq!(agent.line(), "held");
    agent
}

/// Lets it save, and reads what it says about that.
fn save(agent: &mut Agent, url: &str, number: u64) {
    agent.go_on();
    for word in ["begin", "saved"] {
        assert_eq!(agent.line(), format!("{word} {number} alice {url}"));
    }
}

/// Lets it save, and reads that it is refused, and why.
fn save_in_vain(agent: &mut Agent, url: &str) {
    agent.go_on();
    assert_eq!(agent.line(), format!("begin 1 alice {url}"), "the body goes on");
    let error = agent.line();
    assert!(error.starts_with("error the lease") && error.contains("fencing token"), "{error}");
    assert_eq!(agent.line(), format!("failed 1 alice {url}"));
}

#[test]
fn promise_06_a_paused_holders_save_is_refused_while_another_one_holds_the_key() {
    let url = place();
    let mut paused = holder(&url);
    signal(paused.id(), Signal::STOP);
    let mut other = holder(&url);
    signal(paused.id(), Signal::CONT);
    save_in_vain(&mut paused, &url);
    save(&mut other, &url, 1);
    other.kill();
    // Its next call finds what the other one saved.
    assert_eq!(paused.line(), "held");
    save(&mut paused, &url, 2);
}

#[test]
fn promise_06_a_paused_holders_save_is_refused_after_another_one_saved() {
    let url = place();
    let mut paused = holder(&url);
    signal(paused.id(), Signal::STOP);
    let mut other = holder(&url);
    save(&mut other, &url, 1);
    other.kill();
    signal(paused.id(), Signal::CONT);
    save_in_vain(&mut paused, &url);
    assert_eq!(paused.line(), "held");
    save(&mut paused, &url, 2);
}

#[test]
fn promise_06_a_paused_holder_whose_key_nobody_took_saves() {
    let url = place();
    let mut paused = holder(&url);
    signal(paused.id(), Signal::STOP);
    std::thread::sleep(TTL * 2);
    signal(paused.id(), Signal::CONT);
    save(&mut paused, &url, 1);
}

#[test]
fn promise_06_a_killed_holders_key_is_free_when_its_lease_has_run_out() {
    let url = place();
    let mut longest = Duration::ZERO;
    for _ in 0..5 {
        let killed = holder(&url);
        killed.kill();
        let since = Instant::now();
        holder(&url).succeed();
        longest = longest.max(since.elapsed());
    }
    println!("leases of {TTL:?}: at most {longest:?} from the kill to the next holder");
    assert!(longest < TTL + SLACK, "{longest:?}");
}
