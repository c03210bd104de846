//! Records on a Redis server, or on several that replace each other or share the keys: many
//! processes and hosts share them.
//!
//! A record is one string, the JSON document of the module `envelope`, under a key that the
//! original would give it (module `keys`); what happened to it is in two streams (`entry`), where a
//! large state is too (`rebuilding`). Whatever changes one is a script, which the server runs
//! as one step (`scripts`). A script or command may be sent again when its answer was lost
//! (`network`): it recognizes what an earlier try of it did.

mod adopting;
mod aside;
mod blobs;
mod builder;
mod claim;
mod deleting;
mod durability;
mod entry;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod history;
mod index;
mod keys;
mod known;
mod leases;
mod listing;
mod moving;
mod network;
mod noting;
mod problem;
mod reading;
mod rebuilding;
mod records;
mod replication;
mod request;
mod saving;
mod scripts;
mod slot;
mod standing;
mod taking;
mod trail;
mod url;
mod waiting;

use std::sync::Arc;

use async_trait::async_trait;

use self::records::Records;
use super::{
    BlobBackend, Capabilities, Durability, HistoryBackend, KeyPage, Lease, LeaseAttempt, Opened,
    Sharing, StateBackend, Write,
};
use crate::aside::{Aside, AsideId};
use crate::error::Error;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::record::Record;

pub use builder::RedisBackendBuilder;
pub use durability::RedisDurability;

/// How often something is begun anew because a history went on meanwhile.
const TRIES: usize = 5;

/// Keeps records on a Redis server (7 or newer), the one that sentinels name, or a
/// cluster, for all processes and hosts that reach it. Needs the cargo feature `redis`.
///
/// | URL | |
/// |---|---|
/// | `redis://host`, `redis://host:6379/0` | a host, a port, a database number |
/// | `redis://user:password@host` | a user of the server's access rules (ACL) |
/// | `rediss://host` | TLS; the certificate is checked |
/// | `redis+unix:///run/redis.sock?db=0&user=name&pass=word` | a Unix socket |
/// | `redis+sentinel://host1:26379,host2/mymaster/0` | the master that these sentinels call `mymaster` |
/// | `redis+cluster://host1:7000,host2` | the cluster that these servers are part of |
/// | `rediss+sentinel://…`, `rediss+cluster://…` | the same with TLS everywhere |
///
/// Behind a `?` may stand `prefix=name`, `lease_ttl=5s`, `history=100` (also `90d`, `all`, `off`),
/// `whole=64KB` and `require=always`, as in [`RedisBackendBuilder`]. The user and the password are those of the servers; sentinels that want
/// one have `sentinel_user` and `sentinel_password` behind the `?`. By TLS the certificates have to
/// be those of the hosts that sentinels and clusters announce, which are IP addresses unless they
/// are told otherwise.
///
/// # What it promises
/// A save is one step on the server, fenced and compared with the record's write id. A lease ends
/// by the server's clock, [`lease_ttl`](RedisBackendBuilder::lease_ttl) after its holder died.
/// What an acknowledged save survives is what the server's configuration gives: it is read with
/// each connection, logged, and can be [required](RedisBackendBuilder::require).
/// [`Capabilities::durability`] is [`Durability::PowerCut`] if `appendfsync always` was found by
/// `connect` or is required, else [`Durability::Restart`]: records survive the processes that use
/// them, and the server as its configuration says.
///
/// A state expires by the server's clock: the server removes it by itself. One that a call is at
/// work on stays until that gives its lease back; where the call's process died, its connection was
/// lost, or another call waited for it, it may live for one lease longer. Its note in the user's
/// index goes with the next listing; in a cluster with one some days later.
///
/// A server that is away, restarts or is replaced is connected to again without help, within
/// [bounds](RedisBackendBuilder::retry_for): a failover takes as long as the servers need to agree
/// on it.
///
/// # When a replica takes over
/// Redis acknowledges before its replicas have what it did. The last saves before a failover may be
/// lost, as are those that a master acknowledged while it was cut off from the others. Nothing
/// happens twice.
///
/// With `require=replicas(1)` a save or a delete is acknowledged when a replica has it too
/// ([`require_replicas`](RedisBackendBuilder::require_replicas)): what a replica takes over has it,
/// as long as that is the replica that is furthest ahead, which Sentinel (at equal
/// `replica-priority`) and a cluster prefer. Where the replica does not answer in time the call
/// ends in [`Error::OutcomeUnknown`], and the state can be looked at. `require=always,replicas(1)`
/// asks for both, the disk of the master and a replica.
///
/// A lease may be lost with its master. Its holder cannot save then: a server refuses a save whose
/// lease it does not know, with [`Error::LeaseLost`].
///
/// # In a cluster
/// A user's list costs what the user has: the index is in one place, the records are asked for in
/// one go of each master. While a slot is moved from one master to another, calls on its keys wait.
/// A failover that lost the note of a state in its user's index, and not the state, leaves a state
/// that is not listed: [`adopt`](RedisBackend::adopt) finds it.
///
/// # What is stored
/// `cogency:state:<user>:<session>` is one JSON document, `json.loads(redis.get(key))` in Python.
/// In ids `%`, `:`, `{`, `}` and control characters are percent-encoded. Beside it are its
/// [history](crate::StateManager::history) (`cogency:history:…`, `cogency:contents:…`), by default of
/// at least the last [32 versions](RedisBackendBuilder::history), the lease
/// (`cogency:lease:…`) and an index for each user (`cogency:index:<user>`). What was set aside is
/// below `cogency:aside:`, with the names of its users and sessions below `cogency:asides`. The blobs
/// of a state are the fields of the hash `cogency:blobs:{<the state's key>}`, by their SHA-256.
///
/// A state of more than [64 KiB](RedisBackendBuilder::whole_up_to) is in its history alone: a save
/// costs what changed, and its document says where the state is. Its
/// [guide](https://github.com/cogency-state/cogency-state/blob/main/docs/redis.md) shows how others
/// put it together.
///
/// # What the server has to allow
/// Set `maxmemory-policy` to `noeviction`. A user with the least rights is
///
/// ```text
/// ACL SETUSER agent on >password ~cogency:* +@scripting +@string +@hash +@stream +@keyspace +@connection +time +config|get
/// ```
///
/// Without `config|get` the durability is unknown and cannot be required. Add `+cluster|slots` in a
/// cluster, `+role` behind sentinels and where replicas are required.
#[derive(Clone, Debug)]
pub struct RedisBackend {
    records: Arc<Records>,
    durability: Durability,
}

impl RedisBackend {
    /// What its URLs can begin with.
    pub(crate) const SCHEMES: [&str; 7] = url::SCHEMES;

    /// A backend that connects with its first use, so that the server may start later.
    ///
    /// ```
    /// use cogency_state::{RedisBackend, StateManager};
    ///
    /// let manager = StateManager::new(RedisBackend::new("redis://127.0.0.1")?);
    /// # Ok::<(), cogency_state::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] if that is not the URL of a Redis server.
    pub fn new(url: &str) -> Result<Self, Error> {
        Self::builder(url).build()
    }

    /// A backend that is connected.
    ///
    /// ```no_run
    /// use cogency_state::{RedisBackend, StateManager};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cogency_state::Error> {
    /// let manager = StateManager::new(RedisBackend::connect("redis://127.0.0.1").await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] if that is not the URL of a Redis server, [`Error::Backend`] if the
    /// server cannot be reached or does not let this program in.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::builder(url).connect().await
    }

    /// A backend with settings of its own.
    pub fn builder(url: &str) -> RedisBackendBuilder {
        RedisBackendBuilder::new(url)
    }

    /// How durable the server is by its configuration, which was read when the connection was
    /// made; `None` if the server does not show it (`CONFIG GET` is forbidden). Of a cluster it is
    /// the least of all masters.
    ///
    /// # Errors
    /// [`Error::Backend`] if there is no connection and the server cannot be reached.
    pub async fn durability(&self) -> Result<Option<RedisDurability>, Error> {
        self.records.connect().await
    }

    /// Takes in the records that another program wrote under the same rule, such as the original:
    /// from then on [`list_states`](StateBackend::list_states) shows them. Gives how many there
    /// were.
    ///
    /// A record whose key is not written as ours are (because of a colon in the user id, for
    /// example) is renamed. Where there is another one of that name it is left, with a warning.
    ///
    /// It goes through all keys of the database, in parts and on all masters of a cluster: the
    /// servers stay responsive. Loading
    /// and saving need none of this; a state that is saved over is taken in by that.
    ///
    /// ```no_run
    /// use cogency_state::RedisBackend;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cogency_state::Error> {
    /// let backend = RedisBackend::connect("redis://127.0.0.1").await?;
    /// println!("{} states of other programs", backend.adopt().await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Backend`] if the server fails; some may have been taken in then.
    ///
    /// # Cancellation
    /// Dropped, it stops between two records. It may be called again.
    pub async fn adopt(&self) -> Result<usize, Error> {
        self.records.adopt().await
    }
}

#[async_trait]
impl StateBackend for RedisBackend {
    fn location(&self) -> &str {
        self.records.location()
    }

    fn capabilities(&self) -> Capabilities {
        let capabilities = Capabilities::none()
            .with_durability(self.durability)
            .with_sharing(Sharing::Network)
            .with_lease_ttl(Some(self.records.lease_ttl))
            .with_expiry()
            .with_list_of_all()
            .with_aside()
            .with_blobs();
        if self.records.retention.is_some() { capabilities.with_history() } else { capabilities }
    }

    fn history(&self) -> Option<&dyn HistoryBackend> {
        self.records.retention.map(|_| self as _)
    }

    fn any_history(&self) -> Option<&dyn HistoryBackend> {
        Some(self)
    }

    fn blobs(&self) -> Option<&dyn BlobBackend> {
        Some(&*self.records)
    }

    async fn acquire_lease(&self, key: &StateKey, holder: &Holder) -> Result<LeaseAttempt, Error> {
        Ok(match self.records.acquire(key, holder, false).await? {
            Opened::Acquired { lease, .. } => LeaseAttempt::Acquired(lease),
            Opened::Held(holder) => LeaseAttempt::Held(holder),
        })
    }

    async fn renew_lease(&self, lease: &Lease) -> Result<(), Error> {
        self.records.renew(lease).await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), Error> {
        self.records.release(lease).await
    }

    async fn load_state(&self, key: &StateKey) -> Result<Option<Record>, Error> {
        self.records.load(key).await
    }

    async fn save_state(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        match &write.record.metadata.blob_ids {
            None => self.records.save(lease, write, false).await,
            // In a box: its future is a large one.
            Some(_) => Box::pin(self.records.save_with_blobs(lease, write, false)).await,
        }
    }

    async fn delete_state(&self, lease: &Lease) -> Result<bool, Error> {
        self.records.delete(lease).await
    }

    async fn list_states(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        self.records.list(user_id).await
    }

    async fn list_all(&self, after: Option<&str>, limit: usize) -> Result<KeyPage, Error> {
        self.records.list_all(after, limit).await
    }

    async fn set_aside(&self, lease: &Lease, aside: &Aside) -> Result<bool, Error> {
        self.records.set_aside(lease, aside).await
    }

    async fn list_aside(&self, user_id: Option<&str>) -> Result<Vec<Aside>, Error> {
        self.records.list_aside(user_id).await
    }

    async fn load_aside(&self, key: &StateKey, id: AsideId) -> Result<Option<Record>, Error> {
        self.records.load_aside(key, id).await
    }

    async fn restore_aside(&self, lease: &Lease, id: AsideId) -> Result<bool, Error> {
        self.records.restore_aside(lease, id).await
    }

    async fn drop_aside(&self, key: &StateKey, id: AsideId) -> Result<bool, Error> {
        self.records.drop_aside(key, id).await
    }

    async fn acquire_and_load(&self, key: &StateKey, holder: &Holder) -> Result<Opened, Error> {
        self.records.acquire(key, holder, true).await
    }

    async fn save_and_release(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        match &write.record.metadata.blob_ids {
            None => self.records.save(lease, write, true).await,
            // In a box: its future is a large one.
            Some(_) => Box::pin(self.records.save_with_blobs(lease, write, true)).await,
        }
    }
}
