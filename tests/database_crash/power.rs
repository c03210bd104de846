//! Power cuts under a SQLite file.
//!
//! A long campaign, which prints its figures:
//! ```text
//! COGENCY_POWER_CUTS=10000 cargo test -p cogency-state-tests --test database_crash power -- --nocapture
//! ```

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::agent::{Agent, Said};
use crate::disk::Disk;
use crate::words::Known;
use crate::writers::{start_writers, whole_up_to};

const CUTS: u64 = 500;
/// Each is cut off by itself, while the others work.
const DISKS: u64 = 5;
const LONGEST_RUN: Duration = Duration::from_millis(120);
const AFTER_THE_CUT: Duration = Duration::from_millis(20);
/// After so many cuts the file is a new one.
const CUTS_OF_A_FILE: u64 = 20;

#[test]
fn promise_04_a_power_cut_loses_nothing_acknowledged_on_sqlite() {
    let cuts = std::env::var("COGENCY_POWER_CUTS").map_or(CUTS, |cuts| cuts.parse().unwrap());
    let started = Instant::now();
    thread::scope(|scope| {
        let campaign = || {
            let mut campaign = Campaign::new();
            (0..cuts.div_ceil(DISKS)).for_each(|nth| campaign.cut(nth));
            campaign.known
        };
        let campaigns: Vec<_> = (0..DISKS).map(|_| scope.spawn(campaign)).collect();
        for campaign in campaigns {
            let known = campaign.join().unwrap();
            println!("{:#?} in {:?}", known.figures, started.elapsed());
            known.assert_whole();
            assert!(
                known.figures.saves_acknowledged > 0,
                "the power went before anything was saved"
            );
        }
    });
}

struct Campaign {
    disk: Disk,
    known: Known,
}

impl Campaign {
    fn new() -> Self {
        Self { disk: Disk::new(64), known: Known::default() }
    }

    fn cut(&mut self, nth: u64) {
        let nth_file = nth / CUTS_OF_A_FILE;
        let file = self.disk.point.join(format!("{nth_file}/agents.db"));
        if nth.is_multiple_of(CUTS_OF_A_FILE) {
            self.known.forget();
        }
        // What a writer held when it was killed is free soon.
        let whole = whole_up_to(nth_file);
        let url = format!("sqlite:{}?lease_ttl=300ms&whole={whole}", file.display());
        let running = start_writers(&self.disk, nth, &url);
        thread::sleep(LONGEST_RUN.mul_f64(fastrand::f64()));
        self.disk.cut();
        // Time for what was under way to be told: a save that failed must not be there.
        thread::sleep(AFTER_THE_CUT);
        let said: Vec<Said> = running.into_iter().flat_map(Agent::kill).collect();
        self.disk.restart();
        self.known.check(&url, &said);
        if let Some(problem) = damage(file) {
            self.known.problem("the file", &problem);
        }
        // Between two cuts there is time for all to reach the disk, also what nobody syncs.
        self.disk.calm();
    }
}

/// What SQLite itself says about its file.
fn damage(file: PathBuf) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
        let said: String =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        (said != "ok").then_some(said)
    })
}
