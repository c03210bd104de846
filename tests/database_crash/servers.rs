//! Power cuts under the servers' files.
//!
//! ```text
//! COGENCY_SERVER_POWER_CUTS=100 cargo test -p cogency-state-tests --test database_crash server -- --nocapture
//! ```

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use cogency_state_tests::database::DatabaseServer;

use crate::agent::{Agent, Said};
use crate::disk::Disk;
use crate::words::Known;
use crate::writers::{start_writers, whole_up_to};

/// Few: between two cuts a server starts.
const CUTS: u64 = 7;
const LONGEST_RUN: Duration = Duration::from_millis(600);
const AFTER_THE_CUT: Duration = Duration::from_millis(20);

#[test]
fn promise_04_a_power_cut_loses_nothing_acknowledged_by_a_postgres_server() {
    cut_off(DatabaseServer::postgres_in, &[]);
}

#[test]
fn promise_04_a_power_cut_loses_nothing_acknowledged_by_a_mariadb_server() {
    cut_off(DatabaseServer::mariadb_in, &["--innodb-log-file-size=16M"]);
}

fn cut_off(make: impl Fn(&Path) -> DatabaseServer, settings: &[&str]) {
    let cuts = std::env::var("COGENCY_SERVER_POWER_CUTS");
    let cuts = cuts.map_or(CUTS, |cuts| cuts.parse().unwrap());
    let disk = Disk::new(1024);
    let folder = disk.point.join("server");
    std::fs::create_dir(&folder).unwrap();
    let server = make(&folder);
    server.restart_with(settings);
    let (mut known, started) = (Known::default(), Instant::now());
    for nth in 0..cuts {
        disk.calm();
        let url = format!("{}?lease_ttl=300ms&whole={}", server.url(), whole_up_to(nth));
        let running = start_writers(&disk, nth, &url);
        thread::sleep(LONGEST_RUN.mul_f64(fastrand::f64()));
        disk.cut();
        thread::sleep(AFTER_THE_CUT);
        let said: Vec<Said> = running.into_iter().flat_map(Agent::kill).collect();
        server.kill();
        disk.restart();
        server.start();
        known.check(&url, &said);
    }
    // Before the disk goes.
    server.kill();
    println!("{:#?} in {:?}", known.figures, started.elapsed());
    known.assert_whole();
    assert!(known.figures.saves_acknowledged > 0, "the power went before anything was saved");
}
