//! The contract as a model: small enough to be seen to be right.

use std::ops::Range;

use proptest::prelude::{BoxedStrategy, Just, Strategy};
use proptest::strategy::Union;
use proptest_state_machine::ReferenceStateMachine;

/// How many keys there are: two of one user, one of another.
pub(super) const KEYS: usize = 3;

/// How many instances there are over the same records.
pub(super) const INSTANCES: usize = 2;

/// Whose each key is.
pub(super) const OWNERS: [usize; KEYS] = [0, 0, 1];

/// One operation. Leases are numbered as they were acquired, writes as they were first tried.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Acquire { instance: usize, key: usize },
    Renew { lease: usize },
    Release { lease: usize },
    Save { lease: usize, over: Over },
    Repeat { lease: usize, write: usize },
    Delete { lease: usize },
    Load { instance: usize, key: usize },
    List { instance: usize, user: usize },
    Reopen { instance: usize },
}

/// What a save says that it was made from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Over {
    /// What is there.
    Newest,
    /// No record.
    Nothing,
    /// What a write under the same key made, or would have made.
    Write(usize),
}

/// What an operation gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Acquired,
    Held,
    Done,
    LeaseLost,
    Conflict {
        expected: u64,
        found: u64,
    },
    /// The record of a write, or none.
    Loaded(Option<usize>),
    Deleted(bool),
    /// These keys, in this order.
    Listed(Vec<usize>),
    /// What the contract never allows.
    Wrong(String),
}

/// What is stored and who holds it.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    /// The write whose record is under each key.
    records: [Option<usize>; KEYS],
    leases: Vec<Leased>,
    pub(super) writes: Vec<Written>,
}

#[derive(Clone, Debug)]
struct Leased {
    key: usize,
    held: bool,
}

/// A write that was tried.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) key: usize,
    pub(super) version: u64,
    /// The write that it says it was made from.
    pub(super) over: Option<usize>,
}

impl Model {
    /// Does a step, and says which answers are right.
    pub(super) fn answers(&mut self, step: &Step) -> Vec<Answer> {
        match *step {
            Step::Acquire { key, .. } => vec![self.acquire(key)],
            Step::Renew { lease } => vec![self.under(lease, Answer::Done)],
            Step::Release { lease } => vec![self.release(lease)],
            Step::Save { lease, over } => {
                let key = self.key_of(lease);
                self.writes.push(self.written(key, over));
                self.save(lease, self.writes.len() - 1)
            }
            Step::Repeat { lease, write } => self.save(lease, write),
            Step::Delete { lease } => vec![self.delete(lease)],
            Step::Load { key, .. } => vec![Answer::Loaded(self.record(key))],
            Step::List { user, .. } => vec![self.list(user)],
            Step::Reopen { .. } => vec![Answer::Done],
        }
    }

    /// Whether what a step speaks of exists.
    fn allows(&self, step: &Step) -> bool {
        match *step {
            Step::Renew { lease } | Step::Release { lease } | Step::Delete { lease } => {
                lease < self.leases.len()
            }
            Step::Save { lease, over: Over::Write(write) } | Step::Repeat { lease, write } => {
                let of_key = self.writes.get(write).map(|write| write.key);
                lease < self.leases.len() && of_key == Some(self.key_of(lease))
            }
            Step::Save { lease, .. } => lease < self.leases.len(),
            _ => true,
        }
    }

    fn acquire(&mut self, key: usize) -> Answer {
        if self.leases.iter().any(|lease| lease.key == key && lease.held) {
            return Answer::Held;
        }
        self.leases.push(Leased { key, held: true });
        Answer::Acquired
    }

    fn release(&mut self, lease: usize) -> Answer {
        if let Some(lease) = self.leases.get_mut(lease) {
            lease.held = false;
        }
        Answer::Done
    }

    fn delete(&mut self, lease: usize) -> Answer {
        let key = self.key_of(lease);
        let found = self.record(key).is_some();
        if self.holds(lease) {
            self.put(key, None);
        }
        self.under(lease, Answer::Deleted(found))
    }

    /// A write of the next version.
    fn written(&self, key: usize, over: Over) -> Written {
        let over = match over {
            Over::Newest => self.record(key),
            Over::Nothing => None,
            Over::Write(write) => Some(write),
        };
        Written { key, version: self.version(over) + 1, over }
    }

    fn save(&mut self, lease: usize, write: usize) -> Vec<Answer> {
        let key = self.key_of(lease);
        let found = self.record(key);
        let over = self.writes.get(write).and_then(|write| write.over);
        let may_replace = found == over || found == Some(write);
        let outcome = if may_replace {
            Answer::Done
        } else {
            Answer::Conflict { expected: self.version(over), found: self.version(found) }
        };
        if self.holds(lease) {
            if may_replace {
                self.put(key, Some(write));
            }
            return vec![outcome];
        }
        // Where two things are wrong either may be told, and what is done already may be said to
        // be done.
        if !may_replace || found == Some(write) {
            return vec![Answer::LeaseLost, outcome];
        }
        vec![Answer::LeaseLost]
    }

    fn list(&self, user: usize) -> Answer {
        let owned = OWNERS.iter().enumerate().filter(|(_, owner)| **owner == user);
        Answer::Listed(owned.map(|(key, _)| key).filter(|k| self.record(*k).is_some()).collect())
    }

    /// What an operation gives that needs the lease.
    fn under(&self, lease: usize, answer: Answer) -> Answer {
        if self.holds(lease) { answer } else { Answer::LeaseLost }
    }

    fn holds(&self, lease: usize) -> bool {
        self.leases.get(lease).is_some_and(|lease| lease.held)
    }

    pub(super) fn key_of(&self, lease: usize) -> usize {
        self.leases.get(lease).map_or(0, |lease| lease.key)
    }

    fn record(&self, key: usize) -> Option<usize> {
        self.records.get(key).copied().flatten()
    }

    fn put(&mut self, key: usize, record: Option<usize>) {
        if let Some(slot) = self.records.get_mut(key) {
            *slot = record;
        }
    }

    fn version(&self, write: Option<usize>) -> u64 {
        write.and_then(|write| self.writes.get(write)).map_or(0, |write| write.version)
    }
}

/// The model, to the library that makes the sequences.
pub(super) struct Reference;

impl ReferenceStateMachine for Reference {
    type State = Model;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Model> {
        Just(Model::default()).boxed()
    }

    fn transitions(model: &Model) -> BoxedStrategy<Step> {
        let (instance, key) = (0..INSTANCES, 0..KEYS);
        let acquire = (instance.clone(), key.clone());
        let load = (instance.clone(), key);
        let list = (instance.clone(), 0..2_usize);
        let mut steps = vec![
            (4, acquire.prop_map(|(instance, key)| Step::Acquire { instance, key }).boxed()),
            (2, load.prop_map(|(instance, key)| Step::Load { instance, key }).boxed()),
            (1, list.prop_map(|(instance, user)| Step::List { instance, user }).boxed()),
            (1, instance.prop_map(|instance| Step::Reopen { instance }).boxed()),
        ];
        if !model.leases.is_empty() {
            steps.extend(with_a_lease(model));
        }
        Union::new_weighted(steps).boxed()
    }

    fn preconditions(model: &Model, step: &Step) -> bool {
        model.allows(step)
    }

    fn apply(mut model: Model, step: &Step) -> Model {
        model.answers(step);
        model
    }
}

/// What can be done with a lease, mostly with one of the newest.
fn with_a_lease(model: &Model) -> Vec<(u32, BoxedStrategy<Step>)> {
    let newest = model.leases.len().saturating_sub(4)..model.leases.len();
    let lease = || newest.clone();
    let mut steps = vec![
        (1, lease().prop_map(|lease| Step::Renew { lease }).boxed()),
        (3, lease().prop_map(|lease| Step::Release { lease }).boxed()),
        (2, lease().prop_map(|lease| Step::Delete { lease }).boxed()),
        (5, lease().prop_map(|lease| Step::Save { lease, over: Over::Newest }).boxed()),
        (1, lease().prop_map(|lease| Step::Save { lease, over: Over::Nothing }).boxed()),
    ];
    let of_key = pairs(model, newest.clone());
    if !of_key.is_empty() {
        let pair = proptest::sample::select(of_key);
        let stale =
            pair.clone().prop_map(|(lease, write)| Step::Save { lease, over: Over::Write(write) });
        let repeat = pair.prop_map(|(lease, write)| Step::Repeat { lease, write });
        steps.extend([(2, stale.boxed()), (2, repeat.boxed())]);
    }
    steps
}

/// Leases, each with every write under its key.
fn pairs(model: &Model, leases: Range<usize>) -> Vec<(usize, usize)> {
    let writes = || model.writes.iter().enumerate();
    leases
        .flat_map(|lease| {
            let key = model.key_of(lease);
            writes().filter(move |(_, write)| write.key == key).map(move |(n, _)| (lease, n))
        })
        .collect()
}
