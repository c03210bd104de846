//! The memory of this process.

use cogency_state::MemoryBackend;
use graph_flow::InMemorySessionStorage;
use tower_sessions_memory_store::MemoryStore;

use super::{Medium, Place, backend, make};
use crate::contestant::{Contestant, Guarantees, Kind, NOTHING};
use crate::floors::memory::Map;
use crate::ours::Ours;
use crate::peers::cached::Values;
use crate::peers::graph_flow::Workflows;
use crate::peers::tower_sessions::Sessions;

const FLOOR: &str = "map of bytes";

pub(super) static MEMORY: Medium = Medium {
    name: "memory",
    id: "memory",
    floor: FLOOR,
    contestants: &CONTESTANTS,
    writers: &[],
    open,
    backend: backend!(|_at| MemoryBackend::new().without_history()),
};

static CONTESTANTS: [Contestant; 6] = [
    Contestant {
        name: FLOOR,
        kind: Kind::Floor,
        guarantees: Guarantees::NONE,
        make: make!(|_at| Map::default()),
    },
    Contestant {
        name: "cogency-state",
        kind: Kind::Ours,
        guarantees: Guarantees::ours("32 versions", NOTHING),
        make: make!(|_at| Ours::over(MemoryBackend::new())),
    },
    Contestant {
        name: "cogency-state, no history",
        kind: Kind::Ours,
        guarantees: Guarantees::ours("none", NOTHING),
        make: make!(|_at| Ours::over(MemoryBackend::new().without_history())),
    },
    Contestant {
        name: "cached",
        kind: Kind::Peer,
        guarantees: Guarantees::NONE,
        make: make!(|_at| Values::new()?),
    },
    Contestant {
        name: "tower-sessions",
        kind: Kind::Peer,
        guarantees: Guarantees::NONE,
        make: make!(|_at| Sessions::in_store(MemoryStore::default())),
    },
    Contestant {
        name: "graph-flow",
        kind: Kind::Peer,
        guarantees: Guarantees::NONE.versioned(),
        make: make!(|_at| Workflows(InMemorySessionStorage::new())),
    },
];

fn open() -> Place {
    Place {
        at: String::new(),
        about: "a map in this process".into(),
        written: None,
        stored: None,
        compact: None,
        kept: Box::new(()),
    }
}
