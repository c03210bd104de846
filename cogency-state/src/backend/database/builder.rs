//! Settings of a `DatabaseBackend`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;

use super::DatabaseBackend;
use super::connections::{Connections, Server};
use super::kept::Kept;
use super::known::Known;
use super::migrations::{self, Migrate};
use super::place::{DatabasePool, Place};
use super::records::{Patience, Records};
use super::url::{self, Options, Target};
use crate::backend::keeps::Keeps;
use crate::backend::{Durability, Sharing};
use crate::error::Error;
use crate::history::Retention;
use crate::key::StateKey;
use crate::query::{Document, Field, Of, Path};

const PREFIX: &str = "cogency_";
const POOL_SIZE: u32 = 10;
const WHOLE_UP_TO: usize = 64 << 10;
const KNOWN_BYTES: usize = 64 << 20;
const LEASE_TTL: Duration = Duration::from_secs(5);
/// A shorter lease could not be renewed in time over a network.
const MIN_LEASE_TTL: Duration = Duration::from_millis(100);
/// A longer one is not worth its name.
const MAX_LEASE_TTL: Duration = Duration::from_secs(60 * 60);
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(2),
    respond: Duration::from_secs(5),
    retry: Duration::from_secs(5),
};

/// Settings of a [`DatabaseBackend`].
///
/// ```no_run
/// use std::time::Duration;
///
/// use cogency_state::{DatabaseBackend, StateManager};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cogency_state::Error> {
/// let backend = DatabaseBackend::builder("postgres://agent@db.internal/agents")
///     .prefix("support_")
///     .pool_size(4)
///     .lease_ttl(Duration::from_secs(2))
///     .connect()
///     .await?;
/// let manager = StateManager::new(backend);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct DatabaseBackendBuilder {
    from: From,
    options: Options,
    patience: Patience,
    indexed: Vec<Field>,
    kept: Vec<Kept>,
    known_bytes: usize,
}

enum From {
    Url(String),
    Pool(Box<DatabasePool>),
}

impl DatabaseBackendBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self::from(From::Url(url.to_owned()))
    }

    pub(super) fn over(pool: DatabasePool) -> Self {
        Self::from(From::Pool(Box::new(pool)))
    }

    fn from(from: From) -> Self {
        let (indexed, kept) = (Vec::new(), Vec::new());
        let (options, patience, known_bytes) = (Options::default(), PATIENCE, KNOWN_BYTES);
        Self { from, options, patience, indexed, kept, known_bytes }
    }

    /// What the names of all tables begin with, `cogency_` unless told: up to 32 lower-case
    /// letters, digits and underscores. On a server a schema (PostgreSQL) or a database (MariaDB)
    /// may stand before it, with a dot, as in `agents.cogency_`; it has to be there.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = Some(prefix.into());
        self
    }

    /// How long a key stays taken after its holder died, 5 seconds unless told; 100 milliseconds
    /// to an hour. A lease is renewed before half of this time is over.
    pub fn lease_ttl(mut self, ttl: Duration) -> Self {
        self.options.lease_ttl = Some(ttl);
        self
    }

    /// How many connections there may be at once, for each runtime; 10 unless told. A call holds
    /// one while it loads and while it saves, and none in between.
    pub fn pool_size(mut self, connections: u32) -> Self {
        self.options.pool_size = Some(connections);
        self
    }

    /// How much of each state's history stays: all of it unless told. What is to go is removed now
    /// and then by saves, and by [`History::prune`](crate::History::prune).
    pub fn history(mut self, retention: Retention) -> Self {
        self.options.history = Some(Keeps::History(retention));
        self
    }

    /// How much of the history of some states stays, whatever [`history`](Self::history) says of
    /// all: of those whose key is meant. Of several that mean a key the first counts. Without a
    /// history it changes nothing.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use cogency_state::{DatabaseBackend, Retention};
    ///
    /// let week = Duration::from_secs(7 * 24 * 60 * 60);
    /// let builder = DatabaseBackend::builder("postgres://db.internal/agents")
    ///     .history_of(|key| key.user_id().starts_with("trial-"), Retention::Versions(10))
    ///     .history_of(|key| key.session_id() == "scratch", Retention::Age(week));
    /// ```
    pub fn history_of(
        mut self,
        is_meant: impl Fn(&StateKey) -> bool + Send + Sync + 'static,
        retention: Retention,
    ) -> Self {
        self.kept.push(Kept { is_meant: Box::new(is_meant), retention });
        self
    }

    /// Keeps no history: saves and deletes leave no entries. What others keep stays, and goes on
    /// with the next save that keeps one.
    pub fn without_history(mut self) -> Self {
        self.options.history = Some(Keeps::Nothing);
        self
    }

    /// Up to which size a state stands in its row as a whole, 64 KiB unless told. A larger one is
    /// what the newest keyframe of its history and the changes behind that make, so that a save
    /// writes what changed, and the view `cogency_current` has it for those who read the tables.
    /// Without a history all states are whole. It counts from the next save of each state on.
    pub fn whole_up_to(mut self, bytes: usize) -> Self {
        self.options.whole_up_to = Some(bytes);
        self
    }

    /// How many bytes of large states stay in memory, 64 MiB unless told: one that did not change
    /// is not sent by the server. With 0 each is.
    pub fn known_bytes(mut self, bytes: usize) -> Self {
        self.known_bytes = bytes;
        self
    }

    /// Has an index on a path that [queries](crate::query) ask about often, made when it connects
    /// unless it is there: `.index(state("$.stop_reason"))`. The typed columns have theirs. Each
    /// index makes a save a little dearer; one that is not wanted any more an operator may drop.
    ///
    /// # Errors
    /// Of [`build`](Self::build): [`Error::Config`] if that is no path.
    pub fn index(mut self, field: Field) -> Self {
        self.indexed.push(field);
        self
    }

    /// Changes no tables: where they are not as this version needs them it says what is missing.
    /// [`migrations`](Self::migrations) has the SQL for whoever may.
    pub fn never_migrate(mut self) -> Self {
        self.options.migrate = Some(Migrate::Never);
        self
    }

    /// Prepares each statement anew instead of once for each connection: for poolers that hand
    /// each transaction to another connection and know nothing of prepared statements. It costs a
    /// round trip each time.
    pub fn without_statement_cache(mut self) -> Self {
        self.options.keeps_statements = Some(false);
        self
    }

    /// The longest that a connection may take to be made, or to be free, 2 seconds unless told.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.patience.connect = timeout;
        self
    }

    /// The longest that an answer may take, 5 seconds unless told. A large state has another
    /// second for each MiB; a load, whose size is not known, 10 more.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.patience.respond = timeout;
        self
    }

    /// How long something is tried again whose server is away, or starting, or busy with others; 5
    /// seconds unless told. A save whose answer was lost is looked for at least once, even later.
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.patience.retry = time;
        self
    }

    /// The SQL that makes the tables, for an operator: input for the database's own client
    /// (`sqlite3`, `psql`, `mariadb`). Each migration stands below a comment with its version: of
    /// tables that have some of them already, apply the others.
    ///
    /// # Errors
    /// [`Error::Config`] if the URL or a setting is wrong.
    pub fn migrations(self) -> Result<String, Error> {
        let Settings { place, prefix, indexed, .. } = self.settings()?;
        Ok(match place {
            #[cfg(feature = "sqlite")]
            Place::Sqlite(_) => migrations::text::<sqlx::Sqlite>(&prefix, indexed),
            #[cfg(feature = "postgres")]
            Place::Postgres(_) => migrations::text::<sqlx::Postgres>(&prefix, indexed),
            #[cfg(feature = "mysql")]
            Place::MySql(_) => migrations::text::<sqlx::MySql>(&prefix, indexed),
        })
    }

    /// The backend. It connects with the first use, so that the server may start later.
    ///
    /// # Errors
    /// [`Error::Config`] if the URL or a setting is wrong.
    pub fn build(self) -> Result<DatabaseBackend, Error> {
        let mut settings = self.settings()?;
        let kept = std::mem::take(&mut settings.kept);
        let Settings { patience, lease_ttl, migrate, retention, whole_up_to, .. } = settings;
        let known = Known::new(settings.known_bytes);
        let location = format!("{}/{}", settings.place.location(), settings.prefix);
        let (sharing, durability) = (settings.sharing(), settings.durability());
        let server = settings.server();
        let ready = OnceCell::new();
        let records = Records {
            server,
            location,
            lease_ttl,
            patience,
            migrate,
            retention,
            kept,
            whole_up_to,
            known,
            ready,
        };
        Ok(DatabaseBackend { records: Arc::new(records), sharing, durability })
    }

    /// The backend, connected, with the tables that it needs.
    ///
    /// # Errors
    /// [`Error::Config`] if the URL or a setting is wrong, [`Error::Backend`] if the database
    /// cannot be reached, does not let this program in, or its tables are not what they have to be.
    pub async fn connect(self) -> Result<DatabaseBackend, Error> {
        let mut backend = self.build()?;
        backend.durability = backend.find_durability().await?;
        Ok(backend)
    }

    fn settings(self) -> Result<Settings, Error> {
        let Target { place, options: of_url } = match self.from {
            From::Url(url) => url::parse(&url)?,
            From::Pool(pool) => Target { place: pool.0, options: Options::default() },
        };
        let options = self.options.or(of_url);
        Ok(Settings {
            prefix: valid_prefix(options.prefix)?,
            lease_ttl: valid_ttl(options.lease_ttl)?,
            pool_size: options.pool_size.unwrap_or(POOL_SIZE).max(1),
            migrate: options.migrate.unwrap_or_default(),
            retention: options.history.unwrap_or(Keeps::History(Retention::All)).retention(),
            keeps_statements: options.keeps_statements.unwrap_or(true),
            whole_up_to: options.whole_up_to.unwrap_or(WHOLE_UP_TO),
            known_bytes: self.known_bytes,
            patience: self.patience,
            indexed: valid_indexes(self.indexed)?,
            kept: self.kept,
            place,
        })
    }
}

/// All that there is to know.
struct Settings {
    place: Place,
    prefix: String,
    lease_ttl: Duration,
    pool_size: u32,
    migrate: Migrate,
    retention: Option<Retention>,
    keeps_statements: bool,
    whole_up_to: usize,
    known_bytes: usize,
    patience: Patience,
    indexed: Vec<(Document, Path)>,
    kept: Vec<Kept>,
}

impl Settings {
    fn sharing(&self) -> Sharing {
        match &self.place {
            #[cfg(feature = "sqlite")]
            Place::Sqlite(_) => Sharing::Host,
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            _ => Sharing::Network,
        }
    }

    /// What records survive as far as it is known without a look: all processes in any case, and
    /// a power cut where the settings are our own.
    fn durability(&self) -> Durability {
        match &self.place {
            #[cfg(feature = "sqlite")]
            Place::Sqlite(super::pools::Source::Options(_)) => Durability::PowerCut,
            #[allow(unreachable_patterns, reason = "with some features there is nothing else")]
            _ => Durability::Restart,
        }
    }

    fn server(self) -> Box<dyn Server> {
        let (size, prefix, keeps) = (self.pool_size, &*self.prefix, self.keeps_statements);
        let (indexed, within) = (self.indexed, self.patience.connect);
        match self.place {
            #[cfg(feature = "sqlite")]
            Place::Sqlite(source) => {
                Box::new(Connections::new(source, size, prefix, indexed, keeps, within))
            }
            #[cfg(feature = "postgres")]
            Place::Postgres(source) => {
                Box::new(Connections::new(source, size, prefix, indexed, keeps, within))
            }
            #[cfg(feature = "mysql")]
            Place::MySql(source) => {
                Box::new(Connections::new(source, size, prefix, indexed, keeps, within))
            }
        }
    }
}

fn valid_prefix(prefix: Option<String>) -> Result<String, Error> {
    const LONGEST: usize = 32;
    let prefix = prefix.unwrap_or_else(|| PREFIX.to_owned());
    let is_name = |name: &str| {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        name.len() <= LONGEST
            && name.chars().all(is_plain)
            && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    let is_valid = match prefix.split_once('.') {
        Some((schema, name)) => !schema.is_empty() && is_name(schema) && is_name(name),
        None => is_name(&prefix),
    };
    if is_valid {
        return Ok(prefix);
    }
    Err(config(
        "the prefix of its tables is not up to 32 lower-case letters, digits and underscores, \
         perhaps behind a schema and a dot",
    ))
}

fn valid_indexes(fields: Vec<Field>) -> Result<Vec<(Document, Path)>, Error> {
    let paths = fields.into_iter().map(|field| match field.0 {
        Of::Json(document, Ok(path)) => Ok((document, path)),
        Of::Json(_, Err((path, problem))) => {
            Err(config(&format!("there can be no index on {path:?}, which is no path: {problem}")))
        }
        Of::Column(_) => Err(config("a column has its index already")),
    });
    let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
    let mut seen = HashSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    Ok(paths)
}

fn valid_ttl(ttl: Option<Duration>) -> Result<Duration, Error> {
    let ttl = ttl.unwrap_or(LEASE_TTL);
    if !(MIN_LEASE_TTL..=MAX_LEASE_TTL).contains(&ttl) {
        return Err(config(
            "the time that a lease lasts is not between 100 milliseconds and an hour",
        ));
    }
    Ok(ttl)
}

fn config(problem: &str) -> Error {
    Error::Config { reason: format!("the database cannot be used so: {problem}") }
}

/// The URL is a secret.
impl std::fmt::Debug for DatabaseBackendBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseBackendBuilder")
            .field("options", &self.options)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}
