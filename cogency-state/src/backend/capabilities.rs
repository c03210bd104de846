//! What a backend can do, as data.

use std::time::Duration;

/// What a backend can and cannot do. The conformance suite tests both.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
pub struct Capabilities {
    /// What a saved record survives.
    pub durability: Durability,
    /// Who sees the same records.
    pub sharing: Sharing,
    /// How long a lease lasts without renewal; `None` if it lasts until its last copy is dropped,
    /// and is free the moment that its holder dies.
    pub lease_ttl: Option<Duration>,
    /// Whether a save whose future is dropped ends all the same, one way or the other, before the
    /// next use of its lease. Where not, the manager runs the rest of a dropped save in a task of its
    /// own.
    pub saves_survive_drop: bool,
    /// Whether a save with a [`ttl`](crate::Write::ttl) makes a record that expires. Where not,
    /// the manager refuses to begin a call that asks for one.
    pub expiry: bool,
    /// Whether [`StateBackend::history`](crate::StateBackend::history) gives one: what happened to
    /// each state is kept, with its earlier versions.
    pub history: bool,
    /// Whether the keys of all users can be [listed](crate::StateBackend::list_all).
    pub lists_all: bool,
    /// Whether what is stored can be set aside. Where not, the manager refuses to begin a call
    /// that may need it.
    pub aside: bool,
    /// Whether states can be [asked for](crate::StateManager::query) by what is in them.
    pub queries: bool,
    /// Whether [`StateBackend::blobs`](crate::StateBackend::blobs) gives a place for them. Where
    /// not, the manager refuses to save a state that names one.
    pub blobs: bool,
}

impl Capabilities {
    /// The least that a backend can give: nothing survives the process, nobody shares.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            durability: Durability::Process,
            sharing: Sharing::Process,
            lease_ttl: None,
            saves_survive_drop: false,
            expiry: false,
            history: false,
            lists_all: false,
            aside: false,
            queries: false,
            blobs: false,
        }
    }

    /// With another durability.
    #[must_use]
    pub const fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// With another reach.
    #[must_use]
    pub const fn with_sharing(mut self, sharing: Sharing) -> Self {
        self.sharing = sharing;
        self
    }

    /// With leases that end unless they are renewed.
    #[must_use]
    pub const fn with_lease_ttl(mut self, lease_ttl: Option<Duration>) -> Self {
        self.lease_ttl = lease_ttl;
        self
    }

    /// With saves that end although their future is dropped.
    #[must_use]
    pub const fn with_saves_that_survive_drop(mut self) -> Self {
        self.saves_survive_drop = true;
        self
    }

    /// With answers to queries.
    #[must_use]
    pub const fn with_queries(mut self) -> Self {
        self.queries = true;
        self
    }

    /// With records that expire when a save says so.
    #[must_use]
    pub const fn with_expiry(mut self) -> Self {
        self.expiry = true;
        self
    }

    /// With a history of each state.
    #[must_use]
    pub const fn with_history(mut self) -> Self {
        self.history = true;
        self
    }

    /// With a list of all users' keys.
    #[must_use]
    pub const fn with_list_of_all(mut self) -> Self {
        self.lists_all = true;
        self
    }

    /// With blobs beside the states.
    #[must_use]
    pub const fn with_blobs(mut self) -> Self {
        self.blobs = true;
        self
    }

    /// With records that can be set aside.
    #[must_use]
    pub const fn with_aside(mut self) -> Self {
        self.aside = true;
        self
    }
}

/// What a saved record survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: it lives and dies with the process.
    Process,
    /// The end of every process, but not a power cut.
    Restart,
    /// A power cut too.
    PowerCut,
}

/// Who sees the same records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Sharing {
    /// The tasks of one process.
    Process,
    /// All processes on one machine.
    Host,
    /// All machines that reach the server.
    Network,
}
