//! Power cuts while states are spooled.
//!
//! A long campaign: `COGENCY_POWER_CUTS=1000 tests/run power_cut_loses_nothing_spooled`

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use cogency_state::{OnOutage, SpooledKind, StateManager};
use cogency_state_tests::agent::{Agent, Said, span};
use cogency_state_tests::page::Page;
use cogency_state_tests::switched::Switched;

use crate::disk::Disk;

const AGENT: &str = env!("CARGO_BIN_EXE_agent");
const CUTS: u64 = 40;
const USERS: [&str; 3] = ["alice", "bob", "carol"];
const LONGEST_RUN: Duration = Duration::from_millis(150);
const AFTER_THE_CUT: Duration = Duration::from_millis(20);

#[test]
fn promise_09_a_power_cut_loses_nothing_spooled() {
    let cuts = std::env::var("COGENCY_POWER_CUTS").map_or(CUTS, |cuts| cuts.parse().unwrap());
    let disk = Disk::new(64);
    let spool = disk.point.join("spool");
    let mut acknowledged = 0;
    for cut in 0..cuts {
        let mut command = Command::new(AGENT);
        let command = command.env("COGENCY_SPOOL_DIR", &spool).args(["write", "away:"]);
        let mut agent = Agent::spawn(command.args(USERS).stderr(std::process::Stdio::null()));
        assert_eq!(agent.line(), "ready");
        thread::sleep(LONGEST_RUN.mul_f64(fastrand::f64()));
        disk.cut();
        thread::sleep(AFTER_THE_CUT);
        let said = agent.kill();
        disk.restart();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let found = runtime.block_on(newest(&spool));
        drop(runtime);
        for user in USERS {
            let said: Vec<&Said> = said.iter().filter(|said| said.user == user).collect();
            let (saved, begun) = span(0, said.iter().copied());
            let found = found.get(user).copied().unwrap_or(0);
            assert!((saved..=begun).contains(&found), "cut {cut}, {user}: {found}, {said:?}");
            acknowledged += saved;
        }
        if spool.exists() {
            std::fs::remove_dir_all(&spool).unwrap();
        }
        disk.calm();
    }
    println!("{cuts} cuts, {acknowledged} acknowledged states");
    assert!(acknowledged > cuts, "hardly anything was spooled");
}

/// The number of each user's newest page. All of them follow each other.
async fn newest(spool: &Path) -> BTreeMap<String, u64> {
    let builder = StateManager::builder(Switched::away()).spool_dir(spool);
    let manager = builder.on_outage(OnOutage::Fail).build();
    let mut newest = BTreeMap::new();
    for entry in manager.spool().await.unwrap() {
        assert_eq!(entry.kind, SpooledKind::Pending, "{entry:?}");
        let page = manager.load_spooled::<Page>(&entry).await.unwrap().state;
        assert!(page.is_whole(), "page {} is a mixture", page.number);
        let user = entry.key.as_ref().unwrap().user_id().to_owned();
        let before = newest.insert(user, page.number).unwrap_or(0);
        assert_eq!(page.number, before + 1, "a page is missing");
    }
    newest
}
