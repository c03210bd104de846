//! The contract between the manager and a place that keeps records.
//!
//! A backend of your own implements [`StateBackend`] and passes the checks of
//! `cogency_state::conformance` (feature `conformance`).

mod blobs;
mod capabilities;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod database;
mod file;
mod history;
#[cfg(any(feature = "redis", feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod keeps;
mod lease;
mod listing;
mod memory;
mod off_thread;
#[cfg(feature = "redis")]
mod redis;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::aside::{Aside, AsideId};
use crate::blob::Blob;
use crate::error::Error;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::query::{Filter, Page, Search};
use crate::record::{Record, Revision};

#[cfg(all(
    any(test, fuzzing),
    any(feature = "sqlite", feature = "postgres", feature = "mysql")
))]
pub(crate) use self::database::fuzz as fuzz_database;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub use self::database::{DatabaseBackend, DatabaseBackendBuilder, DatabasePool};
#[cfg(all(feature = "redis", any(test, fuzzing)))]
pub(crate) use self::redis::fuzz as fuzz_redis;
#[cfg(feature = "redis")]
pub use self::redis::{RedisBackend, RedisBackendBuilder, RedisDurability};
pub use blobs::BlobBackend;
pub use capabilities::{Capabilities, Durability, Sharing};
pub use file::FileBackend;
#[cfg(all(target_os = "linux", any(test, fuzzing)))]
pub(crate) use file::fuzz as fuzz_file;
pub use history::{HistoryBackend, Verified};
pub use lease::{Lease, LeaseAttempt};
pub use listing::KeyPage;
pub use memory::MemoryBackend;

/// A place that keeps one [`Record`] for each [`StateKey`].
///
/// The required methods are the whole contract. The provided ones let a backend behind a network
/// do two steps in one round trip; leaving them out costs speed, never correctness.
///
/// # The rules
/// - **Atomic:** a load sees a record as one save left it, at any moment, whatever fails.
/// - **Compare-and-set:** a save whose [`Write::expected`] is not the revision that is there gets
///   [`Error::Conflict`] and changes nothing. One exception makes saves repeatable: if the record
///   that is there already has the write id of this save, the save succeeds and leaves that
///   record, as durable as any other. A write id stands for one record; versions may jump and go
///   up to `i64::MAX`.
/// - **Fenced:** a save, delete or renewal under a lease that was released or that somebody else
///   has taken over gets [`Error::LeaseLost`] and changes nothing. A lease that ran out but that
///   nobody took counts. Where a lease is lost and a save is stale too, either error will do.
/// - **Equal:** a load gives what was saved, byte for byte; a checksum may be added where there
///   was none.
/// - **Never over the unreadable:** a save by somebody who could not read what is there does not
///   replace it. (A save from the very revision that was damaged since cannot always tell.)
/// - **Truthful:** an error other than [`Error::OutcomeUnknown`] means that nothing changed.
/// - **Expiring**, where [`Capabilities::expiry`] says so: a record that was saved with a
///   [`Write::ttl`] is gone, for all methods alike, that long after its save by the backend's
///   clock. Not so under a lease that was held at that moment: what its holder found it can save
///   over or delete, for as long as the lease runs, and the record is gone when that ends. Others
///   may see it until then or not. The ttl is that of one save: a later save without one makes
///   the record stay.
/// - **Setting aside**, where [`Capabilities::aside`] says so: what is under a key can be moved
///   away from it, also what cannot be read, intact byte for byte and as one step: it is under its
///   key or set aside, at any moment. What was set aside does not expire.
/// - **Private:** no error holds a state's contents or a password.
///
/// Methods run on a tokio runtime and must not block its threads. Any returned future may be
/// dropped at any await.
#[async_trait]
pub trait StateBackend: fmt::Debug + Send + Sync + 'static {
    /// Where the records are, such as `file:/srv/agents`: shown in errors and logs, so without
    /// secrets. Two backends with the same location keep the same records.
    fn location(&self) -> &str;

    /// What this backend can and cannot do. The answer does not change.
    fn capabilities(&self) -> Capabilities;

    /// Tries once to take the lease on a key, without waiting for whoever holds it.
    ///
    /// The fencing token of a new lease is greater than that of any earlier lease on the key.
    async fn acquire_lease(&self, key: &StateKey, holder: &Holder) -> Result<LeaseAttempt, Error>;

    /// Makes a lease last for another [`Capabilities::lease_ttl`] from now.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if somebody else has taken it.
    async fn renew_lease(&self, lease: &Lease) -> Result<(), Error>;

    /// Gives a lease back. Not an error if it was lost or given back before.
    async fn release_lease(&self, lease: &Lease) -> Result<(), Error>;

    /// The record under a key, or `None`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::SchemaVersion`] if there is one that cannot be read.
    async fn load_state(&self, key: &StateKey) -> Result<Option<Record>, Error>;

    /// Replaces the record under the lease's key. When it returns `Ok`, the record is as durable
    /// as [`Capabilities::durability`] says.
    async fn save_state(&self, lease: &Lease, write: &Write) -> Result<(), Error>;

    /// Removes the record under the lease's key, also one that cannot be read. `false` if there
    /// was none.
    async fn delete_state(&self, lease: &Lease) -> Result<bool, Error>;

    /// The keys of a user that have a record, in order, and no others.
    async fn list_states(&self, user_id: &str) -> Result<Vec<StateKey>, Error>;

    /// The history of the states, where [`Capabilities::history`] says that one is kept.
    fn history(&self) -> Option<&dyn HistoryBackend> {
        None
    }

    /// The histories that are kept there, also where this backend adds nothing to those of others:
    /// [`StateManager::erase`](crate::StateManager::erase) reaches them too.
    fn any_history(&self) -> Option<&dyn HistoryBackend> {
        self.history()
    }

    /// The blobs beside the states, where [`Capabilities::blobs`] says that they are kept.
    fn blobs(&self) -> Option<&dyn BlobBackend> {
        None
    }

    /// About `limit` keys of all users that have a record, from `after` on: what the page before
    /// gave as [`next`](KeyPage::next), `None` for the first one.
    ///
    /// A key that has a record all the while is in one of the pages. In which order, and whether it
    /// is in more than one, is the backend's. The pages together cost one look at each record's
    /// name; no record is read.
    ///
    /// Only where [`Capabilities::lists_all`] says so: what is provided fails.
    ///
    /// # Errors
    /// [`Error::Config`] if the backend cannot do this, or did not give that `after`.
    async fn list_all(&self, after: Option<&str>, limit: usize) -> Result<KeyPage, Error> {
        let _ = (after, limit);
        Err(listing::cannot(self.location()))
    }

    /// Sets aside what is under the lease's key, also what cannot be read. `false` if there was
    /// nothing. Repeated with the same [`Aside::id`] it does nothing more and says `true`.
    ///
    /// # Errors
    /// [`Error::Config`] from this and the next four methods, where the backend cannot do it.
    async fn set_aside(&self, lease: &Lease, aside: &Aside) -> Result<bool, Error> {
        let _ = (lease, aside);
        Err(Error::no_aside(self.location()))
    }

    /// What was set aside: of one user, or of all; the oldest first.
    async fn list_aside(&self, user_id: Option<&str>) -> Result<Vec<Aside>, Error> {
        let _ = user_id;
        Err(Error::no_aside(self.location()))
    }

    /// A record that was set aside; `None` if it is not there any more.
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::SchemaVersion`] if it cannot be read.
    async fn load_aside(&self, key: &StateKey, id: AsideId) -> Result<Option<Record>, Error> {
        let _ = (key, id);
        Err(Error::no_aside(self.location()))
    }

    /// Puts back under the lease's key what was set aside, as it was, to stay until a save says
    /// otherwise. `false` if it is not there any more.
    ///
    /// # Errors
    /// [`Error::Conflict`] (or what a load says of something unreadable) if there is something
    /// under the key.
    async fn restore_aside(&self, lease: &Lease, id: AsideId) -> Result<bool, Error> {
        let _ = (lease, id);
        Err(Error::no_aside(self.location()))
    }

    /// Deletes what was set aside. `false` if it is not there any more. Needs no lease.
    async fn drop_aside(&self, key: &StateKey, id: AsideId) -> Result<bool, Error> {
        let _ = (key, id);
        Err(Error::no_aside(self.location()))
    }

    /// A page of the states that a search means, where [`Capabilities::queries`] says that there
    /// are queries. What they mean is said in [`query`](crate::query).
    ///
    /// # Errors
    /// [`Error::Config`] where there are none.
    async fn find_states(&self, _search: &Search) -> Result<Page, Error> {
        Err(no_queries(self.location()))
    }

    /// How many states a filter means, likewise.
    ///
    /// # Errors
    /// [`Error::Config`] where there are no queries.
    async fn count_states(&self, _filter: &Filter) -> Result<u64, Error> {
        Err(no_queries(self.location()))
    }

    /// [`acquire_lease`](Self::acquire_lease), then [`load_state`](Self::load_state) under it.
    ///
    /// If the load fails the lease is given back.
    async fn acquire_and_load(&self, key: &StateKey, holder: &Holder) -> Result<Opened, Error> {
        let lease = match self.acquire_lease(key, holder).await? {
            LeaseAttempt::Acquired(lease) => lease,
            LeaseAttempt::Held(holder) => return Ok(Opened::Held(holder)),
        };
        match self.load_state(key).await {
            Ok(record) => Ok(Opened::Acquired { lease, record }),
            Err(error) => {
                if let Err(release) = self.release_lease(&lease).await {
                    tracing::warn!(%key, error = %release, "the lease was not given back");
                }
                Err(error)
            }
        }
    }

    /// [`save_state`](Self::save_state), then [`release_lease`](Self::release_lease).
    ///
    /// If the save fails the lease stays, so that the caller can look or try again. If only the
    /// release fails the save counts.
    async fn save_and_release(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        self.save_state(lease, write).await?;
        if let Err(error) = self.release_lease(lease).await {
            tracing::warn!(key = %lease.key(), %error, "saved, but the lease was not given back");
        }
        Ok(())
    }
}

pub(crate) fn no_queries(location: &str) -> Error {
    Error::Config {
        reason: format!(
            "states in {location} cannot be asked for by what is in them: keep them in a database \
             (cargo features `sqlite`, `postgres`, `mysql`), or list those of a user"
        ),
    }
}

/// One save.
#[derive(Clone)]
#[non_exhaustive]
pub struct Write {
    /// What to store.
    pub record: Record,
    /// The revision of the record that it replaces; `None` if there must be none.
    pub expected: Option<Revision>,
    /// How long after this save the record expires; `None` if it stays. Milliseconds count: what
    /// lies between two is rounded up. A time that the backend's clock cannot reach is none.
    pub ttl: Option<Duration>,
    /// What happened to the state, for those who keep a history of it.
    pub action: Action,
    /// The state that it replaces, where the writer still has it: a backend that keeps the change
    /// need not read it again. It is that of [`expected`](Self::expected), byte for byte.
    pub replaced: Option<Bytes>,
    /// Blobs of the state that are not stored yet, with their bytes. The manager stores them before
    /// it saves: no backend needs to look at this.
    pub(crate) blobs: Vec<Blob>,
    /// When the manager looks for blobs that nothing names any more.
    pub(crate) sweep: Sweep,
}

/// When a save has blobs looked for that nothing names any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sweep {
    #[default]
    Never,
    /// Before it, so that it can give the lease back.
    Before,
    /// Behind it: what goes is named until then.
    Behind,
}

/// What a save does to a state, as its history tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// The next state.
    #[default]
    Save,
    /// A state begun anew in the place of one that another LLM wrote.
    Reset,
    /// A state that was there before.
    Restore,
    /// The copy of another key's state.
    Fork,
}

impl Write {
    /// A save that replaces the record of this revision.
    #[must_use]
    pub fn new(record: Record, expected: Option<Revision>) -> Self {
        Self {
            record,
            expected,
            ttl: None,
            action: Action::Save,
            replaced: None,
            blobs: Vec::new(),
            sweep: Sweep::Never,
        }
    }

    /// The same for a record that expires so long after the save, if a ttl is given.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Option<Duration>) -> Self {
        self.ttl = ttl;
        self
    }

    /// The same, as another action than a save.
    #[must_use]
    pub fn with_action(mut self, action: Action) -> Self {
        self.action = action;
        self
    }

    /// The same, with the state that it replaces.
    #[must_use]
    pub fn with_replaced(mut self, replaced: Option<Bytes>) -> Self {
        self.replaced = replaced;
        self
    }

    /// The same with blobs that have to be stored before it.
    #[must_use]
    pub(crate) fn with_blobs(mut self, blobs: Vec<Blob>) -> Self {
        self.blobs = blobs;
        self
    }

    /// Whether this save may replace what is there: the record that it was made from, or what an
    /// earlier try of this same save left.
    #[must_use]
    pub fn may_replace(&self, found: Option<Revision>) -> bool {
        found == self.expected
            || found.is_some_and(|found| found.write_id == self.record.revision.write_id)
    }
}

/// States are private.
impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write")
            .field("record", &self.record)
            .field("expected", &self.expected)
            .field("ttl", &self.ttl)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}

/// What [`StateBackend::acquire_and_load`] found.
#[derive(Debug)]
#[non_exhaustive]
// Nearly every answer is the large one.
#[expect(clippy::large_enum_variant)]
pub enum Opened {
    /// The key is the caller's, with what is stored under it.
    Acquired {
        /// The lease.
        lease: Lease,
        /// The record, if there is one.
        record: Option<Record>,
    },
    /// Somebody else holds it.
    Held(Holder),
}
