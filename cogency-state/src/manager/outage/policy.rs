//! What a call does when the backend is out of reach.

/// What a call does when its backend [is out of reach](crate::Error::is_outage): the setting
/// [`on_outage`](crate::StateManagerBuilder::on_outage) of a manager, and the argument of a
/// function, which counts more.
///
/// It concerns backends behind a [network](crate::Sharing::Network). Files, memory and SQLite have
/// no server that could be away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnOutage {
    /// A state that cannot be saved goes to the spool on this machine's disk, and the call returns
    /// its answer. A state that cannot be loaded is the one that this process saved last, or the
    /// newest that is in the spool; where there is neither the call fails at once.
    #[default]
    Spool,
    /// The same, but a call that does not know its state begins anew. What comes of it is spooled
    /// as a branch, which never replaces what is stored.
    Fresh,
    /// Every outage is an error.
    Fail,
}

/// How one call goes on when the backend is out of reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conduct {
    pub(crate) policy: OnOutage,
    pub(super) unknown: Unknown,
}

/// What becomes of a call whose state nobody here knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// It fails.
    Fails,
    /// It goes on: it begins anew, or has said itself what it replaces.
    GoesOn,
}

impl Conduct {
    /// Of a call that begins with what is stored.
    pub(crate) fn of_call(policy: OnOutage) -> Self {
        let unknown = if policy == OnOutage::Fresh { Unknown::GoesOn } else { Unknown::Fails };
        Self { policy, unknown }
    }

    /// Of a save that says what it replaces.
    pub(crate) fn of_save(policy: OnOutage) -> Self {
        Self { policy, unknown: Unknown::GoesOn }
    }

    /// Of what cannot be done later.
    pub(crate) fn failing() -> Self {
        Self { policy: OnOutage::Fail, unknown: Unknown::Fails }
    }

    pub(crate) fn spools(self) -> bool {
        self.policy != OnOutage::Fail
    }
}
