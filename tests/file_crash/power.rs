//! Power cuts.
//!
//! A long campaign, which prints its figures:
//! ```text
//! COGENCY_POWER_CUTS=10000 cargo test -p cogency-state-tests --test file_crash power -- --nocapture
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cogency_state::{FileBackend, HistoryBackend as _};

use crate::agent::{Agent, PROGRAM, Said, What, span};
use crate::disk::Disk;
use crate::place::{block_on, key, names, names_but_copy};

const CUTS: u64 = 1000;
/// Disks that are cut off side by side: for most of a cut its test waits.
const DISKS: usize = 4;
/// After each so many cuts the histories are looked at as a whole.
const VERIFIED: u64 = 5;
const LONGEST_RUN: Duration = Duration::from_millis(80);
const AFTER_THE_CUT: Duration = Duration::from_millis(20);
const OLD_USERS: [&str; 3] = ["old-a", "old-b", "old-c"];

struct Campaign {
    disk: Disk,
    /// The numbers of the records of the old users.
    known: BTreeMap<String, u64>,
    figures: Figures,
    problems: Vec<String>,
}

#[derive(Debug, Default)]
struct Figures {
    cuts: u64,
    histories_verified: usize,
    keys_checked: u64,
    saves_acknowledged: usize,
    saves_refused: usize,
    deletions_acknowledged: usize,
    done_but_not_acknowledged: u64,
}

#[test]
fn promise_04_a_power_cut_loses_nothing_acknowledged() {
    let cuts = std::env::var("COGENCY_POWER_CUTS").map_or(CUTS, |cuts| cuts.parse().unwrap());
    let started = Instant::now();
    let campaigns: Vec<Campaign> = thread::scope(|scope| {
        let campaign = |first| move || Campaign::run((first..cuts).step_by(DISKS));
        let running: Vec<_> = (0..DISKS as u64).map(|first| scope.spawn(campaign(first))).collect();
        running.into_iter().map(|running| running.join().unwrap()).collect()
    });
    let figures: Vec<_> = campaigns.iter().map(|campaign| &campaign.figures).collect();
    println!("{figures:#?} in {:?}", started.elapsed());
    let problems: Vec<_> = campaigns.iter().flat_map(|campaign| &campaign.problems).collect();
    assert!(problems.is_empty(), "{} problems: {problems:#?}", problems.len());
}

impl Campaign {
    fn run(cuts: impl Iterator<Item = u64>) -> Self {
        let (known, figures, problems) = (BTreeMap::new(), Figures::default(), Vec::new());
        let mut campaign = Self { disk: Disk::new(64), known, figures, problems };
        cuts.for_each(|nth| campaign.cut(nth));
        campaign
    }

    fn agents(&self) -> PathBuf {
        self.disk.point.join("agents")
    }

    fn cut(&mut self, nth: u64) {
        let (prefix, folders) = (format!("new-{nth}"), self.disk.point.join("folders"));
        let running = self.start_writers(nth, &prefix, &folders);
        thread::sleep(LONGEST_RUN.mul_f64(fastrand::f64()));
        self.disk.cut();
        // Time for what was under way to be told: a save that failed must not be there.
        thread::sleep(AFTER_THE_CUT);
        let said: Vec<Said> = running.into_iter().flat_map(Agent::kill).collect();
        self.disk.restart();
        self.figures.cuts += 1;
        self.check(&said);
        self.make_room(&prefix, &folders);
    }

    /// What one writer does not sync, another's sync may write out: so each writes alone, too.
    fn start_writers(&self, nth: u64, prefix: &str, folders: &Path) -> Vec<Agent> {
        let agents = self.agents();
        let deleted = format!("{prefix}-deleted");
        let writers: [(&str, &Path, &[&str]); 4] = [
            ("write", &agents, &OLD_USERS),
            ("meet", &agents, &[prefix]),
            ("part", &agents, &[&deleted]),
            ("settle", folders, &[]),
        ];
        let chosen = nth % 15 + 1;
        // An append is synced by one call, and that may end well although the power went in it.
        let witness = self.disk.point.join("witness");
        fs::write(&witness, "").unwrap();
        self.disk.calm();
        let mut running = Vec::new();
        for (bit, (command, root, rest)) in writers.into_iter().enumerate() {
            if chosen >> bit & 1 != 0 {
                let mut program = Command::new(PROGRAM);
                program.arg(command).arg(root).args(rest).stderr(Stdio::null());
                // Journals that grow, and some that are written anew now and then.
                program.env("COGENCY_VERSIONS", if nth % 7 < 3 { "1" } else { "100" });
                running.push(Agent::spawn(program.env("COGENCY_WITNESS", &witness)));
            }
        }
        for agent in &mut running {
            assert_eq!(agent.line(), "ready");
        }
        running
    }

    /// Compares what is on the disk with what was said.
    fn check(&mut self, said: &[Said]) {
        let agents = self.agents();
        let mut keys: BTreeMap<(&Path, &str), Vec<&Said>> = BTreeMap::new();
        for user in OLD_USERS {
            keys.insert((&agents, user), Vec::new());
        }
        for said in said {
            keys.entry((&said.root, &said.user)).or_default().push(said);
        }
        if self.figures.cuts.is_multiple_of(VERIFIED) {
            for (root, user) in keys.keys() {
                self.verify(root, user);
            }
        }
        let found = find(keys.keys().copied());
        for (((_, user), said), found) in keys.into_iter().zip(found) {
            let before = self.known.get(user).copied().unwrap_or(0);
            let count = |what| said.iter().filter(|said| said.what == what).count();
            self.figures.keys_checked += 1;
            self.figures.saves_acknowledged += count(What::Saved);
            self.figures.saves_refused += count(What::Failed);
            self.figures.deletions_acknowledged += count(What::Forgotten);
            let (saved, begun) = span(before, said);
            let found = found.unwrap_or_else(|problem| {
                self.problem(user, &problem);
                saved
            });
            if !(saved..=begun).contains(&found) {
                self.problem(user, &format!("found {found}, not in {saved}..={begun}"));
            }
            self.figures.done_but_not_acknowledged += u64::from(found > saved);
            if OLD_USERS.contains(&user) {
                self.known.insert(user.to_owned(), found);
            }
        }
    }

    /// Whether a history is what was written.
    fn verify(&mut self, root: &Path, user: &str) {
        let verified = block_on(FileBackend::new(root).verify_history(&key(user)));
        match verified {
            Ok(verified) if verified.is_current => self.figures.histories_verified += 1,
            other => self.problem(user, &format!("its history: {other:?}")),
        }
    }

    fn problem(&mut self, user: &str, problem: &str) {
        let nth = self.figures.cuts;
        self.problems.push(format!("cut {nth}, {user}: {problem}"));
    }

    /// The users of this cut do not come back.
    fn make_room(&self, prefix: &str, folders: &Path) {
        for name in names(&self.agents()).iter().filter(|name| name.starts_with(prefix)) {
            fs::remove_dir_all(self.agents().join(name)).unwrap();
        }
        if folders.exists() {
            fs::remove_dir_all(folders).unwrap();
        }
        // Between two cuts there is time for all to reach the disk, also what nobody syncs.
        self.disk.calm();
    }
}

/// The numbers of the records that are there; 0 for none. Looked for by a new process: no other
/// comes through a power cut.
fn find<'a>(keys: impl Iterator<Item = (&'a Path, &'a str)> + Clone) -> Vec<Result<u64, String>> {
    let mut program = Command::new(PROGRAM);
    program.arg("find");
    keys.clone().for_each(|(root, user)| {
        program.arg(root).arg(user);
    });
    let output = program.output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && lines.lines().count() == keys.clone().count(), "{lines}");
    let checked = keys.zip(lines.lines()).map(|((root, user), line)| {
        let number = line.strip_prefix("found ").ok_or(line)?.parse().unwrap();
        let mut left = names_but_copy(&root.join(user).join("default"));
        // What was deleted leaves its history.
        left.retain(|name| name != "journal.jsonl" && name != "lock");
        if left.is_empty() { Ok(number) } else { Err(format!("record {number}, litter: {left:?}")) }
    });
    checked.collect()
}
