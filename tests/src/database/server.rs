//! A server in a folder of its own, that ends with whoever started it.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, PgConnection};
use tempfile::TempDir;

use super::process::{NOBODY, Process, is_root, not_as_root};
use super::{mariadb, postgres};

/// How long a server may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Postgres,
    MariaDb,
}

/// A server. Dropped, it is killed and its files are removed.
#[derive(Debug)]
pub struct DatabaseServer {
    kind: Kind,
    folder: PathBuf,
    port: u16,
    is_lasting: bool,
    running: Mutex<Option<Process>>,
    owned: Option<TempDir>,
}

/// The PostgreSQL server that the tests of this process share, each with a prefix of its own: for
/// tests that do not hurt it. It does not sync.
pub fn shared_postgres() -> &'static DatabaseServer {
    static SHARED: OnceLock<DatabaseServer> = OnceLock::new();
    SHARED.get_or_init(|| DatabaseServer::new(Kind::Postgres, false, true))
}

/// The MariaDB server that they share.
pub fn shared_mariadb() -> &'static DatabaseServer {
    static SHARED: OnceLock<DatabaseServer> = OnceLock::new();
    SHARED.get_or_init(|| DatabaseServer::new(Kind::MariaDb, false, true))
}

impl DatabaseServer {
    /// A PostgreSQL server that has every acknowledged write on its disk.
    #[must_use]
    pub fn postgres() -> Self {
        Self::new(Kind::Postgres, true, false)
    }

    /// A MariaDB server that has every acknowledged write on its disk.
    #[must_use]
    pub fn mariadb() -> Self {
        Self::new(Kind::MariaDb, true, false)
    }

    fn new(kind: Kind, is_lasting: bool, is_kept: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut command = match kind {
            Kind::Postgres => postgres::make(folder.path()),
            Kind::MariaDb => mariadb::make(folder.path()),
        };
        let made = not_as_root(&mut command).current_dir(folder.path()).output();
        let made = made.unwrap_or_else(|error| {
            panic!("{} (`tests/run` installs it): {error}", command.get_program().display())
        });
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let (path, owned) =
            if is_kept { (folder.keep(), None) } else { (folder.path().to_owned(), Some(folder)) };
        let (port, running) = (free_port(), Mutex::new(None));
        let server = Self { kind, folder: path, port, is_lasting, running, owned };
        server.start();
        server
    }

    /// Starts it, and waits until it takes connections.
    pub fn start(&self) {
        self.start_without_waiting();
        let begun = Instant::now();
        while !self.is_ready() {
            let log = || std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "{:?} does not start: {}", self.kind, log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts it; it may still be recovering.
    pub fn start_without_waiting(&self) {
        self.kill();
        let _ = std::fs::remove_file(self.folder.join("data/postmaster.pid"));
        let command = match self.kind {
            Kind::Postgres => postgres::start(&self.folder, self.port, self.is_lasting),
            Kind::MariaDb => mariadb::start(&self.folder, self.port, self.is_lasting),
        };
        let process = Process::start(&self.folder, &command, self.owned.is_none());
        *self.running.lock().unwrap() = Some(process);
    }

    fn is_ready(&self) -> bool {
        let url = self.url();
        let kind = self.kind;
        on_a_thread(async move {
            match kind {
                Kind::Postgres => PgConnection::connect(&url).await.is_ok(),
                Kind::MariaDb => MySqlConnection::connect(&url).await.is_ok(),
            }
        })
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&self) {
        drop(self.running.lock().unwrap().take());
    }

    /// Its URL, of somebody who may do everything.
    #[must_use]
    pub fn url(&self) -> String {
        match self.kind {
            Kind::Postgres => format!("postgres://root@127.0.0.1:{}/postgres", self.port),
            Kind::MariaDb => format!("mysql://root@127.0.0.1:{}/cogency", self.port),
        }
    }

    /// The same of somebody else.
    #[must_use]
    pub fn url_of(&self, user: &str) -> String {
        self.url().replace("root@", &format!("{user}@"))
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs SQL, as an operator would.
    pub fn run(&self, sql: impl Into<String>) {
        let (url, kind, sql) = (self.url(), self.kind, sqlx::raw_sql(AssertSqlSafe(sql.into())));
        on_a_thread(async move {
            match kind {
                Kind::Postgres => {
                    PgConnection::connect(&url).await.unwrap().execute(sql).await.unwrap();
                }
                Kind::MariaDb => {
                    MySqlConnection::connect(&url).await.unwrap().execute(sql).await.unwrap();
                }
            }
        });
    }

    /// The only number that SQL gives.
    #[must_use]
    pub fn number(&self, sql: impl Into<String>) -> i64 {
        let (url, kind, sql) = (self.url(), self.kind, AssertSqlSafe(sql.into()));
        on_a_thread(async move {
            match kind {
                Kind::Postgres => {
                    let mut connection = PgConnection::connect(&url).await.unwrap();
                    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
                }
                Kind::MariaDb => {
                    let mut connection = MySqlConnection::connect(&url).await.unwrap();
                    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
                }
            }
        })
    }
}

/// Waits here, also inside of a runtime.
pub(super) fn on_a_thread<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let work = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(work)
        });
        work.join().unwrap()
    })
}

/// A port that nobody listens on.
pub(super) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
