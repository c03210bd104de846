//! Several processes on one database.

use std::process::Command;

use cogency_state::{StateKey, StateManager};
use cogency_state_tests::agent::{Agent, Said, saved};
use cogency_state_tests::database::SqliteFile;
use cogency_state_tests::page::Page;

use crate::agents::{PROGRAM, start};
use crate::ledgers::block_on;
use crate::places::Database;

/// The number of a user's page, read under the key's lease: what a dead process sent may still be
/// on its way until somebody else has that.
fn page(url: &str, user: &str) -> u64 {
    let manager = block_on(StateManager::connect(url)).unwrap();
    let key = StateKey::for_user(user).unwrap();
    block_on(async {
        let call = manager.begin::<Page>(&key).await.unwrap();
        let number = call.state.number;
        call.rollback().await;
        number
    })
}

#[test]
fn no_update_is_lost_between_four_processes_on_one_key() {
    const CALLS: u64 = 50;
    for database in Database::each() {
        let url = database.full_url();
        let agents: Vec<_> =
            (0..4).map(|_| start("count", &url, &[&CALLS.to_string(), "shared"])).collect();
        let said: Vec<Said> = agents.into_iter().flat_map(Agent::succeed).collect();
        let mut numbers = saved(&said);
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=4 * CALLS).collect::<Vec<_>>(), "{}", database.name);
        assert_eq!(page(&url, "shared"), 4 * CALLS, "{}", database.name);
    }
}

/// What a dead process held is free after its lease; what it had been told is there.
#[test]
fn a_process_that_is_killed_leaves_whole_states_and_free_keys() {
    for database in Database::each() {
        let url = format!("{}&lease_ttl=1s", database.full_url());
        let mut last = 0;
        for round in 0..8 {
            let mut agent = start("write", &url, &["alice"]);
            let mut said = agent.say(10 + round);
            said.extend(agent.kill());
            let acknowledged = saved(&said).last().copied().unwrap();
            last = page(&url, "alice");
            assert!(last == acknowledged || last == acknowledged + 1, "{acknowledged}, {last}");
        }
        assert!(last >= 40, "{} only came to {last}", database.name);
        start("turn", &url, &["alice"]).succeed();
        assert_eq!(page(&url, "alice"), last + 1);
    }
}

/// Of the two steps of a call only the save waits for the disk.
#[test]
fn on_sqlite_a_call_syncs_once() {
    const CALLS: usize = 40;
    let file = SqliteFile::default();
    // Makes the tables.
    start("turn", &file.url(), &["alice"]).succeed();
    let log = file.folder().join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-qq", "-e", "trace=fsync,fdatasync", "-o"]).arg(&log).arg(PROGRAM);
    strace.args(["count", &file.url(), &CALLS.to_string(), "alice"]);
    Agent::spawn(&mut strace).succeed();
    let log = std::fs::read_to_string(&log).unwrap();
    let syncs = log.lines().filter(|line| line.contains("sync(") && line.contains("-wal>")).count();
    // The log is written back to the file now and then, which takes some more.
    assert!((CALLS..CALLS + 10).contains(&syncs), "{CALLS} calls synced {syncs} times:\n{log}");
}

/// Of new folders each is on the disk when the one that it is in was synced.
#[test]
fn on_sqlite_new_folders_are_synced_up_to_one_that_was_there() {
    let file = SqliteFile::default();
    let above = file.folder().canonicalize().unwrap();
    let url = format!("sqlite:{}", above.join("new/of/many/agents.db").display());
    let log = above.join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-qq", "-e", "trace=fsync,fdatasync", "-o"]).arg(&log).arg(PROGRAM);
    strace.args(["turn", &url, "alice"]);
    Agent::spawn(&mut strace).succeed();
    let log = std::fs::read_to_string(&log).unwrap();
    for folder in ["", "/new", "/new/of", "/new/of/many"] {
        let synced = format!("<{}{folder}>", above.display());
        assert!(log.contains(&synced), "{synced} in\n{log}");
    }
}
