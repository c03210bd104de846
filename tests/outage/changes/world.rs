//! One random sequence: who calls what, and what happens meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use cogency_state::{Error, OnOutage, OnUnreadable, Outcome, StateManager, StateManagerBuilder};
use cogency_state_tests::ledger::Entry;
use cogency_state_tests::switched::Mode;
use fastrand::Rng;

use super::notes::{Notes, in_order, v1, v2, v3};
use crate::place::{Place, key};

pub(super) const USERS: [&str; 2] = ["alice", "bob"];
const LLMS: [&str; 3] = ["acme/small", "acme/large", "other/small"];
const MODES: [Mode; 5] = [Mode::Up, Mode::Away, Mode::Mute, Mode::Deaf, Mode::Unsaving];

/// What is known of an entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Told {
    Acknowledged,
    Failed,
    Doubtful,
}

/// A program that runs with one LLM.
struct Process {
    llm: usize,
    manager: StateManager,
}

pub(super) struct World {
    pub(super) place: Place,
    /// No outage, no damage: each LLM sees all that was ever acknowledged to it.
    calm: bool,
    processes: Vec<Process>,
    pub(super) told: BTreeMap<(&'static str, Entry), Told>,
    /// What was damaged, as it was then.
    pub(super) damaged: Vec<(&'static str, Bytes)>,
    next: u64,
    pub(super) log: Vec<String>,
    /// How often what happened.
    pub(super) figures: BTreeMap<&'static str, u64>,
}

impl World {
    pub(super) fn new(random: &mut Rng) -> Self {
        let mut world = Self {
            place: Place::new(),
            calm: random.u32(..4) == 0,
            processes: Vec::new(),
            told: BTreeMap::new(),
            damaged: Vec::new(),
            next: 0,
            log: Vec::new(),
            figures: BTreeMap::new(),
        };
        for _ in 0..2 {
            let process = world.process(random);
            world.processes.push(process);
        }
        world
    }

    pub(super) async fn step(&mut self, random: &mut Rng) {
        let user = USERS[random.usize(..USERS.len())];
        let nth = random.usize(..self.processes.len());
        match random.u32(..100) {
            0..40 => {
                let (llm, manager) = (self.processes[nth].llm, self.processes[nth].manager.clone());
                let strikes = (!self.calm && random.u32(..8) == 0).then(|| mode(random));
                self.call::<v3::Notes>(&manager, llm, user, strikes).await;
            }
            40..55 => self.foreign(random, user).await,
            55..70 if !self.calm => self.switch(mode(random)),
            70..77 if !self.calm => self.damage(user).await,
            55..87 => {
                let process = self.process(random);
                self.processes[nth] = process;
            }
            87..94 => {
                let replayed = self.processes[nth].manager.replay_spool().await;
                self.log.push(format!("replay {replayed:?}"));
            }
            _ => {
                self.log.push("pause".to_owned());
                tokio::time::sleep(Duration::from_millis(random.u64(..3000))).await;
            }
        }
    }

    /// Today's program, started with any LLM and any policies.
    fn process(&mut self, random: &mut Rng) -> Process {
        let policies = [OnOutage::Spool, OnOutage::Fresh, OnOutage::Fail];
        let (llm, policy) = (random.usize(..LLMS.len()), policies[random.usize(..3)]);
        let on_unreadable = self.on_unreadable(random);
        self.log.push(format!("start {} {policy:?} {on_unreadable:?}", LLMS[llm]));
        let builder = self.place.builder().llm(LLMS[llm]).on_outage(policy);
        Process { llm, manager: v3::Notes::program(builder.on_unreadable(on_unreadable)).build() }
    }

    fn on_unreadable(&self, random: &mut Rng) -> OnUnreadable {
        // Who cannot read a newer state would set it aside.
        let quarantines = !self.calm && random.bool();
        if quarantines { OnUnreadable::Quarantine } else { OnUnreadable::Refuse }
    }

    /// A call of a program of any version on another machine, which no outage concerns.
    async fn foreign(&mut self, random: &mut Rng, user: &'static str) {
        let (llm, version) = (random.usize(..LLMS.len()), random.u32(1..=3));
        let on_unreadable = self.on_unreadable(random);
        self.log.push(format!("foreign v{version} {on_unreadable:?}"));
        let builder = StateManager::builder(self.place.server.beside())
            .spool_dir(self.place.folder.path().join("elsewhere"))
            .llm(LLMS[llm])
            .on_outage(OnOutage::Fail)
            .on_unreadable(on_unreadable);
        match version {
            1 => self.call_once::<v1::Notes>(builder, llm, user).await,
            2 => self.call_once::<v2::Notes>(builder, llm, user).await,
            _ => self.call_once::<v3::Notes>(builder, llm, user).await,
        }
    }

    async fn call_once<T: Notes>(
        &mut self,
        builder: StateManagerBuilder,
        llm: usize,
        user: &'static str,
    ) {
        self.call::<T>(&T::program(builder).build(), llm, user, None).await;
    }

    async fn call<T: Notes>(
        &mut self,
        manager: &StateManager,
        llm: usize,
        user: &'static str,
        strikes: Option<Mode>,
    ) {
        self.next += 1;
        let entry = Entry { agent: llm as u64, number: self.next };
        let ended = self.enter::<T>(manager, user, entry, strikes).await;
        self.log.push(format!("{user} {} {}: {ended:?}", LLMS[llm], self.next));
        let (told, figure) = match ended {
            Ok(outcome) if outcome.is_spooled() => (Told::Acknowledged, "spooled"),
            Ok(_) => (Told::Acknowledged, "saved"),
            Err(Error::OutcomeUnknown { .. }) => (Told::Doubtful, "doubtful"),
            Err(Error::Corrupt { .. }) => (Told::Failed, "damage refused"),
            Err(Error::StateVersion { .. }) => (Told::Failed, "newer version refused"),
            Err(_) => (Told::Failed, "failed"),
        };
        self.count(figure);
        self.told.insert((user, entry), told);
    }

    async fn enter<T: Notes>(
        &mut self,
        manager: &StateManager,
        user: &'static str,
        entry: Entry,
        strikes: Option<Mode>,
    ) -> Result<Outcome, Error> {
        let mut call = manager.begin::<T>(&key(user)).await?;
        self.look(user, entry.agent, &mut call.state);
        call.state.entries().push(entry);
        if let Some(mode) = strikes {
            self.switch(mode);
        }
        call.commit().await
    }

    /// What the body of a call with this LLM sees.
    fn look(&mut self, user: &str, llm: u64, state: &mut impl Notes) {
        let steps = state.steps().to_vec();
        assert!(in_order(&steps), "{user}: migrated by {steps:?}\n{:#?}", self.log);
        let seen = state.entries();
        let is_own = seen.iter().all(|entry| entry.agent == llm);
        assert!(is_own, "{user}: {llm} sees another LLM's: {seen:?}\n{:#?}", self.log);
        if !steps.is_empty() {
            self.count("migrated");
        }
        if self.calm {
            let told = self.told.iter().filter(|((of, entry), told)| {
                *of == user && entry.agent == llm && **told == Told::Acknowledged
            });
            let due: Vec<_> = told.map(|((_, entry), _)| *entry).collect();
            assert_eq!(*seen, due, "{user}: what is {llm}'s\n{:#?}", self.log);
            if !due.is_empty() {
                self.count("seen in full");
            }
        }
    }

    fn switch(&mut self, mode: Mode) {
        self.log.push(format!("{mode:?}"));
        self.place.server.switch(mode);
    }

    async fn damage(&mut self, user: &'static str) {
        let damaged = self.place.server.damage(&key(user)).await;
        self.log.push(format!("damage {user} {}", damaged.is_some()));
        if let Some(record) = damaged {
            self.damaged.push((user, record.state));
            self.count("damaged");
        }
    }

    pub(super) fn managers(&self) -> impl Iterator<Item = &StateManager> {
        self.processes.iter().map(|process| &process.manager)
    }

    pub(super) fn count(&mut self, figure: &'static str) {
        *self.figures.entry(figure).or_default() += 1;
    }
}

/// Half of the time the server is there.
fn mode(random: &mut Rng) -> Mode {
    if random.bool() { Mode::Up } else { MODES[random.usize(..MODES.len())] }
}
