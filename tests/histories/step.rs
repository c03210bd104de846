//! What can be done to a history, by chance.

use std::time::Duration;

use cogency_state::Retention;
use proptest::prelude::*;
use proptest::sample::Index;

/// How many keys there are.
pub(crate) const KEYS: usize = 2;

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) key: usize,
    pub(crate) act: Act,
}

#[derive(Clone, Debug)]
pub(crate) enum Act {
    Save {
        edit: Edit,
        with_replaced: bool,
    },
    /// The last save once more.
    Repeat,
    /// A save from a version that is none.
    Stale,
    Delete,
    SetAside,
    /// One of those that are set aside comes back.
    PutBack(Index),
    Prune(Retention),
    PruneThrough(Index),
    Restore(Pick),
    Fork(Pick, usize),
    Load(Pick),
    Crash(Crash),
}

/// What a process that dies leaves of a key, beside what it acknowledged.
#[derive(Clone, Debug)]
pub(crate) enum Crash {
    Clean,
    /// A part of the next line, or zeros behind it.
    Torn {
        length: Index,
        zeros: u16,
    },
    /// A half-written file.
    Litter {
        stem: &'static str,
        length: Index,
    },
    CopyLost,
    CopyEmpty,
}

/// A moment, out of all that were.
#[derive(Clone, Debug)]
pub(crate) enum Pick {
    Version(Index),
    Entry(Index),
    Time(Index),
    /// Before the first.
    Before,
    /// After the last.
    Never,
}

/// How the next state comes out of the one before.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Append(String),
    /// So much that it is kept as a change from then on.
    Grow(u8),
    Cut,
    Count,
    Anew(String),
    Same,
}

impl Edit {
    /// A state is a list of texts behind a counter.
    pub(crate) fn apply(&self, before: Option<&str>) -> String {
        let (mut count, mut turns): (u64, Vec<String>) =
            before.map_or_else(Default::default, |before| serde_json::from_str(before).unwrap());
        match self {
            Self::Append(text) => turns.push(text.clone()),
            Self::Grow(times) => turns.push(format!("\u{1f916} {times} ").repeat(600)),
            Self::Cut => drop(turns.pop()),
            Self::Count => count += 1,
            Self::Anew(text) => (count, turns) = (0, vec![text.clone()]),
            Self::Same => {}
        }
        serde_json::to_string(&(count, turns)).unwrap()
    }
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..KEYS, act()).prop_map(|(key, act)| Step { key, act });
    proptest::collection::vec(step, 1..40)
}

fn act() -> impl Strategy<Value = Act> {
    let index = any::<Index>;
    prop_oneof![
        12 => (edit(), any::<bool>())
            .prop_map(|(edit, with_replaced)| Act::Save { edit, with_replaced }),
        1 => Just(Act::Repeat),
        1 => Just(Act::Stale),
        2 => Just(Act::Delete),
        2 => Just(Act::SetAside),
        2 => index().prop_map(Act::PutBack),
        2 => stays().prop_map(Act::Prune),
        1 => index().prop_map(Act::PruneThrough),
        2 => pick().prop_map(Act::Restore),
        2 => (pick(), 0..KEYS).prop_map(|(pick, to)| Act::Fork(pick, to)),
        4 => pick().prop_map(Act::Load),
        4 => crash().prop_map(Act::Crash),
    ]
}

fn crash() -> impl Strategy<Value = Crash> {
    let index = any::<Index>;
    let stem = prop_oneof![Just("journal"), Just("state")];
    let zeros = prop_oneof![Just(0), 0..2000_u16];
    prop_oneof![
        2 => Just(Crash::Clean),
        4 => (index(), zeros).prop_map(|(length, zeros)| Crash::Torn { length, zeros }),
        1 => (stem, index()).prop_map(|(stem, length)| Crash::Litter { stem, length }),
        1 => Just(Crash::CopyLost),
        1 => Just(Crash::CopyEmpty),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => "[a-cß\u{1f916}\"\u{0}]{0,30}".prop_map(Edit::Append),
        2 => any::<u8>().prop_map(Edit::Grow),
        1 => Just(Edit::Cut),
        2 => Just(Edit::Count),
        1 => "[x-z]{0,200}".prop_map(Edit::Anew),
        1 => Just(Edit::Same),
    ]
}

fn stays() -> impl Strategy<Value = Retention> {
    prop_oneof![
        (0..5_u64).prop_map(Retention::Versions),
        Just(Retention::Age(Duration::ZERO)),
        Just(Retention::Age(Duration::from_secs(3600))),
        Just(Retention::All),
    ]
}

fn pick() -> impl Strategy<Value = Pick> {
    let index = any::<Index>;
    prop_oneof![
        4 => index().prop_map(Pick::Version),
        4 => index().prop_map(Pick::Entry),
        4 => index().prop_map(Pick::Time),
        1 => Just(Pick::Before),
        1 => Just(Pick::Never),
    ]
}
