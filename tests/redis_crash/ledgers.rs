//! Whether ledgers hold what the agents who made their entries were told.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use cogency_state::{StateKey, StateManager};
use cogency_state_tests::agent::What;
use cogency_state_tests::ledger::{Entry, Ledger};
use tokio::runtime::Runtime;

use crate::agents::Told;

/// How the calls ended.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) acknowledged: usize,
    /// The call failed: its entry must not be there.
    pub(crate) refused: usize,
    /// The call did not know, and the next one found the entry.
    pub(crate) found: usize,
    /// Killed before it was told: the entry may be there.
    pub(crate) untold: usize,
    /// Of these, those that are there.
    pub(crate) untold_and_there: usize,
}

/// What each agent said, by its number.
pub(crate) type Testimony = BTreeMap<u64, Vec<Told>>;

/// Compares the users' ledgers with what was said about them.
pub(crate) fn check(url: &str, users: &[&str], testimony: &Testimony) -> Figures {
    let mut figures = Figures::default();
    for user in users {
        let entries = read(url, user);
        check_order(user, &entries);
        let mut counts: HashMap<Entry, usize> = HashMap::new();
        for entry in entries {
            *counts.entry(entry).or_default() += 1;
        }
        for (entry, last) in last_words(user, testimony) {
            let count = counts.remove(&entry).unwrap_or(0);
            figures.check(user, entry, last, count);
        }
        assert!(counts.is_empty(), "{user}: nobody made {counts:?}");
    }
    figures
}

impl Figures {
    fn check(&mut self, user: &str, entry: Entry, last: What, count: usize) {
        let (figure, due) = match last {
            What::Saved => (&mut self.acknowledged, 1..=1),
            What::Found => (&mut self.found, 1..=1),
            What::Failed => (&mut self.refused, 0..=0),
            _ => (&mut self.untold, 0..=1),
        };
        *figure += 1;
        assert!(due.contains(&count), "{user}: {entry:?} is there {count} times; {last:?}");
        self.untold_and_there += count * usize::from(due == (0..=1));
    }
}

/// What was said last about each entry.
fn last_words(user: &str, testimony: &Testimony) -> BTreeMap<Entry, What> {
    let mut words = BTreeMap::new();
    for (&agent, told) in testimony {
        for Told { said, .. } in told.iter().filter(|told| told.said.user == user) {
            words.insert(Entry { agent, number: said.number }, said.what);
        }
    }
    words
}

/// One agent's calls run one after the other.
fn check_order(user: &str, entries: &[Entry]) {
    let mut last = HashMap::new();
    for entry in entries {
        let before = last.insert(entry.agent, entry.number);
        assert!(before < Some(entry.number), "{user}: {entry:?} stands behind {before:?}");
    }
}

fn read(url: &str, user: &str) -> Vec<Entry> {
    let manager = block_on(StateManager::connect(url)).unwrap();
    let key = StateKey::for_user(user).unwrap();
    let ledger = block_on(manager.load_state::<Ledger>(&key)).unwrap();
    let verified = block_on(async { manager.history(&key).verify().await }).unwrap();
    assert!(verified.is_current, "the history of {user} is not that of the state");
    ledger.map(|loaded| loaded.state.entries).unwrap_or_default()
}

/// Runs async code of a test that is mostly about processes.
pub(crate) fn block_on<R>(work: impl Future<Output = R>) -> R {
    // One for all: connections belong to the runtime that made them.
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
    RUNTIME.block_on(work)
}
