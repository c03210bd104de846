//! Connections to one database, between two uses.
//!
//! sqlx's own pool looks at each connection that is given back to it. That is a round trip, as much
//! again as what the connection was used for. Here one on which anything failed is closed at once,
//! so those that are kept are as good as they were; one that was lost meanwhile shows at its use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::{ConnectOptions as _, Connection, Database};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::together::Waiting;

/// The options of a connection to a database.
pub(super) type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// What lies between may have cut off a connection that was idle for longer.
const LONGEST_IDLE: Duration = Duration::from_secs(60);
/// An older one is made anew, also if it is never idle: what a name leads to changes.
const LONGEST_LIFE: Duration = Duration::from_secs(30 * 60);
/// For a farewell.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// The connections of one runtime.
pub(super) struct Pool<DB: Database> {
    options: Options<DB>,
    /// How long a caller waits for one that is free, and for one that is made.
    within: Duration,
    uses: Arc<Semaphore>,
    kept: Mutex<Vec<Kept<DB>>>,
    waiting: Waiting,
}

struct Kept<DB: Database> {
    connection: DB::Connection,
    made: Instant,
    used: Instant,
}

impl<DB: Database> Kept<DB> {
    fn is_good(&self) -> bool {
        self.used.elapsed() < LONGEST_IDLE && self.made.elapsed() < LONGEST_LIFE
    }
}

/// A connection in use. Unless it is [kept](Self::keep) it is closed: whatever it is in the middle
/// of, nobody else gets it.
pub(super) struct InUse<DB: Database> {
    one: Kept<DB>,
    pool: Arc<Pool<DB>>,
    _permit: OwnedSemaphorePermit,
}

/// Why there is no connection.
pub(super) enum NoConnection {
    Failed(sqlx::Error),
    NotWithin(Duration),
    NoRuntime,
}

impl<DB: Database> Pool<DB> {
    pub(super) fn new(options: Options<DB>, size: u32, within: Duration) -> Self {
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let uses = Arc::new(Semaphore::new(size));
        Self { options, within, uses, kept: Mutex::default(), waiting: Waiting::default() }
    }

    /// Whether all connections are in use.
    pub(super) fn is_busy(&self) -> bool {
        self.uses.available_permits() == 0
    }

    /// Those who wait for one of them, and may go together.
    pub(super) fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    pub(super) async fn acquire(self: &Arc<Self>) -> Result<InUse<DB>, NoConnection> {
        let free = timeout(self.within, Arc::clone(&self.uses).acquire_owned()).await;
        // The semaphore is never closed.
        let Ok(Ok(permit)) = free else { return Err(NoConnection::NotWithin(self.within)) };
        let (one, old) = self.kept_one();
        close(old);
        let one = if let Some(one) = one {
            one
        } else {
            let connected = timeout(self.within, self.options.connect()).await;
            let connection = connected.map_err(|_| NoConnection::NotWithin(self.within))?;
            let connection = connection.map_err(NoConnection::Failed)?;
            Kept { connection, made: Instant::now(), used: Instant::now() }
        };
        Ok(InUse { one, pool: Arc::clone(self), _permit: permit })
    }

    /// The one that was used last, and those that are not good any more.
    fn kept_one(&self) -> (Option<Kept<DB>>, Vec<Kept<DB>>) {
        let mut kept = self.lock();
        let old = kept.extract_if(.., |one| !one.is_good()).collect();
        (kept.pop(), old)
    }

    /// Closes those that are idle: what was lost for one is lost for all.
    pub(super) fn forget(&self) {
        let kept = std::mem::take(&mut *self.lock());
        close(kept);
    }

    /// No code that can panic runs under the lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, Vec<Kept<DB>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says farewell, where there is time for it.
fn close<DB: Database>(old: Vec<Kept<DB>>) {
    let Ok(runtime) = Handle::try_current() else { return };
    for one in old {
        runtime.spawn(timeout(CLOSE_WITHIN, one.connection.close()));
    }
}

impl<DB: Database> InUse<DB> {
    pub(super) fn connection(&mut self) -> &mut DB::Connection {
        &mut self.one.connection
    }

    pub(super) fn pool(&self) -> &Pool<DB> {
        &self.pool
    }

    /// Keeps it for the next use.
    pub(super) fn keep(mut self) {
        self.one.used = Instant::now();
        self.pool.lock().push(self.one);
    }
}
