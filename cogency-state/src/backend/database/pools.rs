//! A pool for each runtime that uses a database, since a connection belongs to the runtime that made
//! it; or one of the user's own.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sqlx::Database;
use sqlx::pool::PoolConnection;
use tokio::runtime::{Handle, Id};

use super::pool::{InUse, NoConnection, Options, Pool};

/// What connections come from.
pub(super) enum Source<DB: Database> {
    Options(Options<DB>),
    /// A pool of the user's own.
    Pool(sqlx::Pool<DB>),
}

impl<DB: Database> Source<DB> {
    pub(super) fn options(&self) -> Cow<'_, Options<DB>> {
        match self {
            Self::Options(options) => Cow::Borrowed(options),
            Self::Pool(pool) => Cow::Owned((*pool.connect_options()).clone()),
        }
    }
}

/// The pools of one database.
pub(super) struct Pools<DB: Database> {
    source: Source<DB>,
    /// Of each pool.
    size: u32,
    within: Duration,
    by_runtime: Arc<ByRuntime<DB>>,
}

type ByRuntime<DB> = Mutex<HashMap<Id, Arc<Pool<DB>>>>;

impl<DB: Database> Pools<DB> {
    pub(super) fn new(source: Source<DB>, size: u32, within: Duration) -> Self {
        Self { source, size, within, by_runtime: Arc::default() }
    }

    pub(super) fn source(&self) -> &Source<DB> {
        &self.source
    }

    pub(super) async fn acquire(&self) -> Result<Lent<DB>, NoConnection> {
        match &self.source {
            Source::Options(options) => Ok(Lent::Ours(self.pool(options)?.acquire().await?)),
            Source::Pool(pool) => match pool.acquire().await {
                Ok(connection) => Ok(Lent::Theirs(connection)),
                // The pool waited for a server that is away, or for others, and does not say which.
                Err(sqlx::Error::PoolTimedOut) => {
                    Err(NoConnection::NotWithin(pool.options().get_acquire_timeout()))
                }
                Err(error) => Err(NoConnection::Failed(error)),
            },
        }
    }

    /// The pool of this runtime, if all of its connections are in use. A pool of the user's own does
    /// not tell.
    pub(super) fn busy(&self) -> Result<Option<Arc<Pool<DB>>>, NoConnection> {
        let Source::Options(options) = &self.source else { return Ok(None) };
        Ok(Some(self.pool(options)?).filter(|pool| pool.is_busy()))
    }

    /// The pool of this runtime.
    fn pool(&self, options: &Options<DB>) -> Result<Arc<Pool<DB>>, NoConnection> {
        let runtime = Handle::try_current().map_err(|_| NoConnection::NoRuntime)?;
        if let Some(pool) = lock(&self.by_runtime).get(&runtime.id()) {
            return Ok(Arc::clone(pool));
        }
        let pool = Arc::new(Pool::new(options.clone(), self.size, self.within));
        let pool = Arc::clone(lock(&self.by_runtime).entry(runtime.id()).or_insert(pool));
        Forget { pools: Arc::downgrade(&self.by_runtime), runtime: runtime.id() }.with(&runtime);
        Ok(pool)
    }
}

/// No code that can panic runs under the lock, so a poisoned one is whole.
fn lock<DB: Database>(pools: &ByRuntime<DB>) -> MutexGuard<'_, HashMap<Id, Arc<Pool<DB>>>> {
    pools.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Forgets the pool of a runtime that ends, as it drops its tasks then.
struct Forget<DB: Database> {
    pools: Weak<ByRuntime<DB>>,
    runtime: Id,
}

impl<DB: Database> Forget<DB> {
    fn with(self, runtime: &Handle) {
        runtime.spawn(async move {
            std::future::pending::<()>().await;
            drop(self);
        });
    }
}

impl<DB: Database> Drop for Forget<DB> {
    fn drop(&mut self) {
        let Some(pools) = self.pools.upgrade() else { return };
        let forgotten = lock(&pools).remove(&self.runtime);
        // Its connections are closed without the lock.
        drop(forgotten);
    }
}

/// A connection, for one use.
pub(super) enum Lent<DB: Database> {
    Ours(InUse<DB>),
    Theirs(PoolConnection<DB>),
}

impl<DB: Database> Lent<DB> {
    pub(super) fn connection(&mut self) -> &mut DB::Connection {
        match self {
            Self::Ours(ours) => ours.connection(),
            Self::Theirs(theirs) => theirs,
        }
    }

    /// Gives it back for the next use.
    pub(super) fn keep(self) {
        match self {
            Self::Ours(ours) => ours.keep(),
            Self::Theirs(theirs) => drop(theirs),
        }
    }

    /// Gives it up. If the server was lost, the others that are idle were lost with it.
    pub(super) fn close(self, was_lost: bool) {
        match self {
            Self::Ours(ours) if was_lost => ours.pool().forget(),
            Self::Ours(_) => {}
            Self::Theirs(mut theirs) => theirs.close_on_drop(),
        }
    }
}
