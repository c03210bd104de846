//! Records in the tables of a database: SQLite, PostgreSQL, or MariaDB.
//!
//! What differs between them is SQL, and what their errors mean (`dialect`). Each has a folder with
//! both, and nothing else: a *script* for each step that has to be one, a migration that makes the
//! tables. Above that, one body knows what a lease, a save and a doubt are (`leases`, `saving`,
//! `deleting`, `moving`, `records`, `row`), where a large state is (`apart`), and what a history is (`history`, `entry`, `standing`). It sees a
//! database as an object that runs scripts (`connections::Server`), which is written once,
//! generically, over sqlx's connections (`pool`, `pools`), and uses them one statement at a time
//! (`asking`), which may be that of several who wait (`together`); what sqlx wants to know of a database for
//! that stands in one place (`statement::Session`). sqlx's own `Any` driver would do the same with
//! less of each database (no `json`, no types, no codes of errors), and a trait with a method for
//! each step would repeat for each database what binds arguments and reads rows.

mod apart;
mod aside;
mod asking;
mod blobs;
mod builder;
mod connections;
mod deleting;
mod dialect;
mod entry;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod history;
mod kept;
mod known;
mod leases;
mod migrations;
mod moving;
#[cfg(feature = "mysql")]
mod mysql;
mod place;
mod pool;
mod pools;
#[cfg(feature = "postgres")]
mod postgres;
mod problem;
mod queries;
mod records;
mod row;
mod saving;
#[cfg(feature = "sqlite")]
mod sqlite;
mod standing;
mod statement;
mod together;
mod url;

use std::sync::Arc;

use async_trait::async_trait;

use self::dialect::Script;
use self::records::Records;
use super::listing::key_before;
use super::{
    BlobBackend, Capabilities, Durability, HistoryBackend, KeyPage, Lease, LeaseAttempt, Opened,
    Sharing, StateBackend, Write,
};
use crate::aside::{Aside, AsideId};
use crate::error::Error;
use crate::holder::Holder;
use crate::key::StateKey;
use crate::query::{Filter, Page, Search};
use crate::record::Record;
use crate::to_its_end::ToItsEnd;

pub use builder::DatabaseBackendBuilder;
pub use place::DatabasePool;

/// Keeps records in the tables of a database, for all that reach it.
///
/// | URL | cargo feature | |
/// |---|---|---|
/// | `sqlite:data/agents.db`, `sqlite:///srv/agents.db` | `sqlite` | a file, without a server |
/// | `postgres://user:password@host:5432/agents` | `postgres` | PostgreSQL 14 or newer |
/// | `mysql://user:password@host:3306/agents`, `mariadb://…` | `mysql` | MariaDB 10.6 or newer |
///
/// Behind a `?` may stand `prefix=name`, `lease_ttl=5s`, `pool_size=4`, `migrate=never`,
/// `statement_cache=off`, `whole=64KB` and `history=off`, `history=100` or `history=90d`, as in
/// [`DatabaseBackendBuilder`], and what sqlx knows of, such as `sslmode=verify-full`.
///
/// # What it promises
/// A save is one transaction of the database's, fenced and compared with the record's version and
/// write id, at whatever isolation level is the default. What is acknowledged survives a power
/// cut, as far as the database was not told to do without (`fsync`,
/// `innodb_flush_log_at_trx_commit`): a look at that when it connects decides what
/// [`Capabilities::durability`] says. A lease ends by the database's clock,
/// [`lease_ttl`](DatabaseBackendBuilder::lease_ttl) after its holder died.
///
/// A state that expires is hidden from then on; the next save on its key replaces it, and
/// [`remove_expired`](Self::remove_expired) removes all that have.
///
/// # What is stored
/// `cogency_states` has a row for each state, with typed columns for what is known about it, and
/// the state's own text: `state->'turns'` on PostgreSQL, `JSON_EXTRACT(state, '$.turns')` on
/// MariaDB and SQLite. The text of a [large](DatabaseBackendBuilder::whole_up_to) one is null there;
/// the view `cogency_current` has the same columns, and the text in any case. Beside it are `cogency_leases`, which has a row for each state that somebody
/// is at work on; `cogency_history`, a row for each thing that happened to a state, with its
/// versions; `cogency_heads`, where each history stands; `cogency_aside`, the states that were set
/// aside; `cogency_blobs`, the [blobs](crate::Blob) that states name; `cogency_indexes`, the paths
/// that are indexed; and `cogency_migrations`. To edit a state by hand, set its `checksum` to null,
/// and its `write_id` to another one.
///
/// # Who makes the tables
/// The first that connects, while others wait. With `migrate=never` nobody does: give the user
/// who may [`DatabaseBackendBuilder::migrations`], and grant the program `SELECT`, `INSERT`,
/// `UPDATE` and `DELETE` on the tables and `EXECUTE` on the functions or procedures.
#[derive(Clone, Debug)]
pub struct DatabaseBackend {
    records: Arc<Records>,
    sharing: Sharing,
    durability: Durability,
}

impl DatabaseBackend {
    /// What its URLs can begin with.
    pub(crate) const SCHEMES: [&str; 5] = url::SCHEMES;

    /// A backend that connects with its first use, so that the server may start later.
    ///
    /// # Errors
    /// [`Error::Config`] if that is not the URL of a database whose cargo feature is on.
    pub fn new(url: &str) -> Result<Self, Error> {
        Self::builder(url).build()
    }

    /// A backend that is connected, with the tables that it needs.
    ///
    /// ```no_run
    /// use cogency_state::{DatabaseBackend, StateManager};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cogency_state::Error> {
    /// let manager = StateManager::new(DatabaseBackend::connect("sqlite:agents.db").await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] if that is not the URL of a database whose cargo feature is on,
    /// [`Error::Backend`] if the database cannot be used.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::builder(url).connect().await
    }

    /// A backend with settings of its own.
    pub fn builder(url: &str) -> DatabaseBackendBuilder {
        DatabaseBackendBuilder::new(url)
    }

    /// A backend over a pool of the program's own: a `SqlitePool`, `PgPool` or `MySqlPool` of sqlx
    /// 0.9. The size of the pool and its time-outs are what they are.
    ///
    /// A connection of a `SqlitePool` comes back with `synchronous = FULL`; let its journal be
    /// `WAL`.
    ///
    /// # Errors
    /// None at this time.
    pub fn from_pool(pool: impl Into<DatabasePool>) -> Result<Self, Error> {
        Self::builder_over(pool).build()
    }

    /// The same with settings of its own.
    pub fn builder_over(pool: impl Into<DatabasePool>) -> DatabaseBackendBuilder {
        DatabaseBackendBuilder::over(pool.into())
    }

    /// Removes the states that have expired, for all users: one that nobody asks for any more is
    /// not met by a call. Gives how many there were.
    ///
    /// # Errors
    /// [`Error::Backend`] if the database fails.
    ///
    /// # Cancellation
    /// It runs to its end although the caller may stop waiting.
    pub async fn remove_expired(&self) -> Result<usize, Error> {
        self.run(|records| async move { records.remove_expired().await }).await
    }

    /// What the database would do to find this page, in its own words: whether an index is used.
    ///
    /// ```no_run
    /// use cogency_state::DatabaseBackend;
    /// use cogency_state::query::{Search, state};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cogency_state::Error> {
    /// let backend = DatabaseBackend::builder("sqlite:agents.db")
    ///     .index(state("$.stop_reason"))
    ///     .connect()
    ///     .await?;
    /// let search = Search::new(state("$.stop_reason").eq("error"), 100);
    /// println!("{}", backend.explain(&search).await?.join("\n"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] if the query cannot be run, [`Error::Backend`] if the database fails.
    pub async fn explain(&self, search: &Search) -> Result<Vec<String>, Error> {
        let search = search.clone();
        search.check()?;
        self.run(|records| async move { records.explain(&search).await }).await
    }

    async fn find_durability(&self) -> Result<Durability, Error> {
        let found = self.run(|records| async move {
            records.connect().await?;
            records.is_durable().await
        });
        Ok(if found.await? { Durability::PowerCut } else { Durability::Restart })
    }

    /// Works on the records, to the end.
    async fn run<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        work: impl FnOnce(Arc<Records>) -> F,
    ) -> T {
        ToItsEnd::new(work(Arc::clone(&self.records))).await
    }

    /// Takes a lease. If nobody waits for it any more it is given back.
    async fn take(&self, key: &StateKey, holder: &Holder, and_load: bool) -> Result<Opened, Error> {
        let (records, key, holder) = (Arc::clone(&self.records), key.clone(), holder.clone());
        let back = Arc::clone(&self.records);
        let taking = async move { records.take(&key, &holder, and_load).await };
        ToItsEnd::or_else(taking, |taken| async move {
            if let Ok(Opened::Acquired { lease, .. }) = taken {
                back.give_back(&lease).await;
            }
        })
        .await
    }
}

#[async_trait]
impl StateBackend for DatabaseBackend {
    fn location(&self) -> &str {
        &self.records.location
    }

    fn capabilities(&self) -> Capabilities {
        let capabilities = Capabilities::none()
            .with_durability(self.durability)
            .with_sharing(self.sharing)
            .with_lease_ttl(Some(self.records.lease_ttl))
            .with_expiry()
            .with_list_of_all()
            .with_aside()
            .with_blobs()
            .with_queries();
        if self.records.retention.is_some() { capabilities.with_history() } else { capabilities }
    }

    async fn acquire_lease(&self, key: &StateKey, holder: &Holder) -> Result<LeaseAttempt, Error> {
        Ok(match self.take(key, holder, false).await? {
            Opened::Acquired { lease, .. } => LeaseAttempt::Acquired(lease),
            Opened::Held(holder) => LeaseAttempt::Held(holder),
        })
    }

    async fn renew_lease(&self, lease: &Lease) -> Result<(), Error> {
        let lease = lease.clone();
        self.run(|records| async move { records.renew(&lease).await }).await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), Error> {
        let lease = lease.clone();
        self.run(|records| async move { records.release(&lease).await }).await
    }

    async fn load_state(&self, key: &StateKey) -> Result<Option<Record>, Error> {
        let key = key.clone();
        self.run(|records| async move { records.load(&key).await }).await
    }

    async fn save_state(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        let (lease, write) = (lease.clone(), write.clone());
        self.run(|records| async move { records.save(&lease, &write, false).await }).await
    }

    async fn delete_state(&self, lease: &Lease) -> Result<bool, Error> {
        let lease = lease.clone();
        self.run(|records| async move { records.delete(&lease).await }).await
    }

    async fn list_states(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        let user_id = user_id.to_owned();
        self.run(|records| async move { records.list(&user_id).await }).await
    }

    fn history(&self) -> Option<&dyn HistoryBackend> {
        self.records.retention.map(|_| self as &dyn HistoryBackend)
    }

    fn any_history(&self) -> Option<&dyn HistoryBackend> {
        Some(self)
    }

    fn blobs(&self) -> Option<&dyn BlobBackend> {
        Some(self)
    }

    async fn list_all(&self, after: Option<&str>, limit: usize) -> Result<KeyPage, Error> {
        let (after, limit) = (key_before(after, &self.records.location)?, limit.max(1));
        let listing = |records: Arc<Records>| async move {
            records.list_after(Script::ListAll, after.as_ref(), limit.saturating_add(1)).await
        };
        Ok(KeyPage::in_order(self.run(listing).await?, limit))
    }

    async fn set_aside(&self, lease: &Lease, aside: &Aside) -> Result<bool, Error> {
        let (lease, aside) = (lease.clone(), aside.clone());
        self.run(|records| async move { records.set_aside(&lease, &aside).await }).await
    }

    async fn list_aside(&self, user_id: Option<&str>) -> Result<Vec<Aside>, Error> {
        let user_id = user_id.map(str::to_owned);
        self.run(|records| async move { records.list_aside(user_id.as_deref()).await }).await
    }

    async fn load_aside(&self, key: &StateKey, id: AsideId) -> Result<Option<Record>, Error> {
        let key = key.clone();
        self.run(|records| async move { records.load_aside(&key, id).await }).await
    }

    async fn restore_aside(&self, lease: &Lease, id: AsideId) -> Result<bool, Error> {
        let lease = lease.clone();
        self.run(|records| async move { records.restore_aside(&lease, id).await }).await
    }

    async fn drop_aside(&self, key: &StateKey, id: AsideId) -> Result<bool, Error> {
        let key = key.clone();
        self.run(|records| async move { records.drop_aside(&key, id).await }).await
    }

    async fn find_states(&self, search: &Search) -> Result<Page, Error> {
        let search = search.clone();
        self.run(|records| async move { records.find(&search).await }).await
    }

    async fn count_states(&self, filter: &Filter) -> Result<u64, Error> {
        let filter = filter.clone();
        self.run(|records| async move { records.count(&filter).await }).await
    }

    async fn acquire_and_load(&self, key: &StateKey, holder: &Holder) -> Result<Opened, Error> {
        self.take(key, holder, true).await
    }

    async fn save_and_release(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        let (lease, write) = (lease.clone(), write.clone());
        self.run(|records| async move { records.save(&lease, &write, true).await }).await
    }
}
