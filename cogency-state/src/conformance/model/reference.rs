//! The contract as a model: small enough to be seen to be right.

use proptest::prelude::{BoxedStrategy, Just, Strategy};
use proptest::sample::select;
use proptest::strategy::Union;
use proptest_state_machine::ReferenceStateMachine;

/// How many keys there are: two of one user, one of another.
pub(super) const KEYS: usize = 3;

/// How many instances there are over the same records.
pub(super) const INSTANCES: usize = 2;

/// Whose each key is.
pub(super) const OWNERS: [usize; KEYS] = [0, 0, 1];

/// A lease: the newest on its key, the one before that, and so on. Named so, a sequence keeps its
/// sense when steps on other keys are left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nth {
    pub(super) key: usize,
    pub(super) newer: usize,
}

/// One operation. A write is named as a lease is: by how many newer ones were tried on its key.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Acquire { instance: usize, key: usize },
    Renew { lease: Nth },
    Release { lease: Nth },
    Save { lease: Nth, over: Over },
    Repeat { lease: Nth, newer: usize },
    Delete { lease: Nth },
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
    /// What the write made, or would have made, that so many newer ones came after.
    Older(usize),
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
    /// The record of a write, numbered as they were tried, or none.
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
                self.writes.push(self.written(lease.key, over));
                self.save(lease, Some(self.writes.len() - 1))
            }
            Step::Repeat { lease, newer } => self.save(lease, self.write(lease.key, newer)),
            Step::Delete { lease } => vec![self.delete(lease)],
            Step::Load { key, .. } => vec![Answer::Loaded(self.record(key))],
            Step::List { user, .. } => vec![self.list(user)],
            Step::Reopen { .. } => vec![Answer::Done],
        }
    }

    /// Whether what a step speaks of exists.
    fn allows(&self, step: &Step) -> bool {
        match *step {
            Step::Save { lease, over: Over::Older(newer) } | Step::Repeat { lease, newer } => {
                self.lease(lease).is_some() && self.write(lease.key, newer).is_some()
            }
            Step::Renew { lease }
            | Step::Release { lease }
            | Step::Delete { lease }
            | Step::Save { lease, .. } => self.lease(lease).is_some(),
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

    fn release(&mut self, lease: Nth) -> Answer {
        if let Some(lease) = self.lease(lease).and_then(|lease| self.leases.get_mut(lease)) {
            lease.held = false;
        }
        Answer::Done
    }

    fn delete(&mut self, lease: Nth) -> Answer {
        let key = lease.key;
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
            Over::Older(newer) => self.write(key, newer),
        };
        Written { key, version: self.version(over) + 1, over }
    }

    fn save(&mut self, lease: Nth, write: Option<usize>) -> Vec<Answer> {
        let found = self.record(lease.key);
        let over = write.and_then(|write| self.writes.get(write)).and_then(|write| write.over);
        let may_replace = found == over || found == write;
        let outcome = if may_replace {
            Answer::Done
        } else {
            Answer::Conflict { expected: self.version(over), found: self.version(found) }
        };
        if self.holds(lease) {
            if may_replace {
                self.put(lease.key, write);
            }
            return vec![outcome];
        }
        // Where two things are wrong either may be told, and what is done already may be said to
        // be done.
        if !may_replace || found == write {
            return vec![Answer::LeaseLost, outcome];
        }
        vec![Answer::LeaseLost]
    }

    fn list(&self, user: usize) -> Answer {
        let owned = OWNERS.iter().enumerate().filter(|(_, owner)| **owner == user);
        Answer::Listed(owned.map(|(key, _)| key).filter(|k| self.record(*k).is_some()).collect())
    }

    /// What an operation gives that needs the lease.
    fn under(&self, lease: Nth, answer: Answer) -> Answer {
        if self.holds(lease) { answer } else { Answer::LeaseLost }
    }

    fn holds(&self, lease: Nth) -> bool {
        let lease = self.lease(lease).and_then(|lease| self.leases.get(lease));
        lease.is_some_and(|lease| lease.held)
    }

    /// The number of a lease among all.
    pub(super) fn lease(&self, Nth { key, newer }: Nth) -> Option<usize> {
        let on_key = self.leases.iter().enumerate().filter(|(_, lease)| lease.key == key);
        on_key.map(|(number, _)| number).rev().nth(newer)
    }

    /// The number of a write among all.
    pub(super) fn write(&self, key: usize, newer: usize) -> Option<usize> {
        let on_key = self.writes.iter().enumerate().filter(|(_, write)| write.key == key);
        on_key.map(|(number, _)| number).rev().nth(newer)
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

/// What can be done with the newest lease on a key or the one before it.
fn with_a_lease(model: &Model) -> Vec<(u32, BoxedStrategy<Step>)> {
    let named = (0..KEYS).flat_map(|key| [0, 1].map(|newer| Nth { key, newer }));
    let leases: Vec<_> = named.filter(|lease| model.lease(*lease).is_some()).collect();
    let lease = || select(leases.clone());
    let mut steps = vec![
        (1, lease().prop_map(|lease| Step::Renew { lease }).boxed()),
        (3, lease().prop_map(|lease| Step::Release { lease }).boxed()),
        (2, lease().prop_map(|lease| Step::Delete { lease }).boxed()),
        (5, lease().prop_map(|lease| Step::Save { lease, over: Over::Newest }).boxed()),
        (1, lease().prop_map(|lease| Step::Save { lease, over: Over::Nothing }).boxed()),
    ];
    let writes = |lease: &Nth| model.writes.iter().filter(|write| write.key == lease.key).count();
    let pairs = |lease: &Nth| (0..writes(lease)).zip(std::iter::repeat(*lease)).collect::<Vec<_>>();
    let with_writes: Vec<_> = leases.iter().flat_map(pairs).collect();
    if !with_writes.is_empty() {
        let pair = select(with_writes);
        let stale =
            pair.clone().prop_map(|(newer, lease)| Step::Save { lease, over: Over::Older(newer) });
        let repeat = pair.prop_map(|(newer, lease)| Step::Repeat { lease, newer });
        steps.extend([(2, stale.boxed()), (2, repeat.boxed())]);
    }
    steps
}
