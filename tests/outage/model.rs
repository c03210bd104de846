//! Random sequences of calls, outages, restarts and foreign changes, against what must hold of any
//! of them: what was acknowledged is stored or kept, once, and what failed is nowhere.
//!
//! ```text
//! COGENCY_OUTAGE_SEQUENCES=100000 cargo test -p cogency-state-tests --release --test outage random
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cogency_state::{Error, OnOutage, Resolution, SpooledKind, StateManager};
use cogency_state_tests::ledger::Ledger;
use cogency_state_tests::switched::Mode;
use fastrand::Rng;

use crate::place::{Place, enter, key, numbers, settled};

const SEQUENCES: u64 = 200;
const STEPS: usize = 25;
const USERS: [&str; 2] = ["alice", "bob"];
const MODES: [Mode; 5] = [Mode::Up, Mode::Away, Mode::Mute, Mode::Deaf, Mode::Unsaving];

/// What is known of every entry.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Acknowledged,
    Failed,
    Doubtful,
}

struct World {
    place: Place,
    /// Those that share the spool.
    processes: Vec<StateManager>,
    told: BTreeMap<&'static str, BTreeMap<u64, Told>>,
    next: u64,
    log: Vec<String>,
}

impl World {
    fn new() -> Self {
        let place = Place::new();
        let processes = (0..2).map(|_| process(&place, OnOutage::Spool)).collect();
        Self { place, processes, told: BTreeMap::new(), next: 0, log: Vec::new() }
    }

    async fn step(&mut self, random: &mut Rng) {
        let user = USERS[random.usize(..USERS.len())];
        let process = random.usize(..self.processes.len());
        match random.u32(..100) {
            0..45 => {
                let manager = self.processes[process].clone();
                self.call(&manager, user, &format!("process {process}")).await;
            }
            45..55 => {
                let manager = self.place.foreign();
                self.call(&manager, user, "foreign").await;
            }
            55..80 => {
                let mode = if random.bool() { Mode::Up } else { MODES[random.usize(..5)] };
                self.log.push(format!("{mode:?}"));
                self.place.server.switch(mode);
            }
            80..88 => {
                let policies = [OnOutage::Spool, OnOutage::Fresh, OnOutage::Fail];
                let policy = policies[random.usize(..3)];
                self.log.push(format!("restart {process} {policy:?}"));
                self.processes[process] = self::process(&self.place, policy);
            }
            88..94 => {
                self.log.push("replay".to_owned());
                self.processes[process].replay_spool().await.unwrap();
            }
            _ => {
                self.log.push("pause".to_owned());
                tokio::time::sleep(Duration::from_millis(random.u64(..3000))).await;
            }
        }
    }

    async fn call(&mut self, manager: &StateManager, user: &'static str, who: &str) {
        self.next += 1;
        let number = self.next;
        let ended = enter(manager, user, number).await;
        self.log.push(format!("{who}: {user} {number} {ended:?}"));
        let told = match ended {
            Ok(_) => Told::Acknowledged,
            Err(Error::OutcomeUnknown { .. }) => Told::Doubtful,
            Err(_) => Told::Failed,
        };
        self.told.entry(user).or_default().insert(number, told);
    }

    async fn check(mut self) {
        self.place.server.switch(Mode::Up);
        for process in &self.processes {
            settled(process).await;
        }
        let kept = self.processes[0].spool().await.unwrap();
        for user in USERS {
            let stored = self.place.stored(user).await;
            let once: BTreeSet<_> = stored.iter().copied().collect();
            assert_eq!(once.len(), stored.len(), "{user}: twice: {stored:?}\n{:#?}", self.log);
            let mut aside = BTreeSet::new();
            for entry in kept.iter().filter(|entry| entry.key.as_ref() == Some(&key(user))) {
                assert!(matches!(entry.kind, SpooledKind::Conflict { .. }), "{entry:?}");
                let loaded = self.processes[0].load_spooled::<Ledger>(entry).await.unwrap();
                aside.extend(numbers(&loaded.state));
            }
            for (number, told) in self.told.remove(user).unwrap_or_default() {
                let is_there = once.contains(&number) || aside.contains(&number);
                match told {
                    Told::Acknowledged => {
                        assert!(is_there, "{user}: {number} is lost\n{:#?}", self.log);
                    }
                    Told::Failed => {
                        assert!(!is_there, "{user}: {number} had failed\n{:#?}", self.log);
                    }
                    Told::Doubtful => {}
                }
            }
        }
        // What is kept can be decided about.
        for entry in kept.iter().rev() {
            self.processes[0].resolve(entry, Resolution::Theirs).await.unwrap();
        }
        assert!(self.processes[0].spool().await.unwrap().is_empty());
    }
}

fn process(place: &Place, policy: OnOutage) -> StateManager {
    place.builder().on_outage(policy).build()
}

#[test]
fn whatever_happens_in_random_order_what_was_acknowledged_is_there_once() {
    let sequences =
        std::env::var("COGENCY_OUTAGE_SEQUENCES").map_or(SEQUENCES, |text| text.parse().unwrap());
    let first = std::env::var("COGENCY_OUTAGE_SEED")
        .map_or_else(|_| fastrand::u64(..), |text| text.parse().unwrap());
    for seed in (0..sequences).map(|nth| first.wrapping_add(nth)) {
        println!("COGENCY_OUTAGE_SEED={seed}");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut random = Rng::with_seed(seed);
            let mut world = World::new();
            for _ in 0..STEPS {
                world.step(&mut random).await;
            }
            world.check().await;
        });
    }
}
