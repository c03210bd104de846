//! A server in a folder of its own, that ends with whoever started it.

use std::fs::Permissions;
use std::io::{Seek as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, PgConnection};
use tempfile::TempDir;

use super::process::{NOBODY, Process, is_root, not_as_root};
use super::{mariadb, postgres};

/// What PostgreSQL says, and ends, while processes of a killed one before have not ended yet.
const STILL_IN_USE: &str = "pre-existing shared memory block";
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
    /// Settings that a test has it started with, as its command line has them.
    settings: Mutex<Vec<String>>,
    running: Mutex<Option<Process>>,
    /// Whether its files are removed when this process ends, however it does.
    is_removed: bool,
    _owned: Option<TempDir>,
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

    /// A PostgreSQL server whose files are in a folder of the test's own; to be started.
    #[must_use]
    pub fn postgres_in(folder: &Path) -> Self {
        Self::of(Kind::Postgres, folder.to_owned(), true)
    }

    /// The same of MariaDB.
    #[must_use]
    pub fn mariadb_in(folder: &Path) -> Self {
        Self::of(Kind::MariaDb, folder.to_owned(), true)
    }

    fn new(kind: Kind, is_lasting: bool, is_kept: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let owned = if is_kept {
            let _ = folder.keep();
            None
        } else {
            Some(folder)
        };
        let server =
            Self { is_removed: is_kept, _owned: owned, ..Self::of(kind, path, is_lasting) };
        server.start();
        server
    }

    /// Makes its files.
    fn of(kind: Kind, folder: PathBuf, is_lasting: bool) -> Self {
        if is_root() {
            chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut command = match kind {
            Kind::Postgres => postgres::make(&folder),
            Kind::MariaDb => mariadb::make(&folder),
        };
        let made = not_as_root(&mut command).current_dir(&folder).output();
        let made = made.unwrap_or_else(|error| {
            panic!("{} (`tests/run` installs it): {error}", command.get_program().display())
        });
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let (settings, running) = (Mutex::default(), Mutex::default());
        let (port, is_removed) = (free_port(), false);
        Self { kind, folder, port, is_lasting, settings, running, is_removed, _owned: None }
    }

    /// Starts it anew with settings, as its command line has them.
    pub fn restart_with(&self, settings: &[&str]) {
        *self.settings.lock().unwrap() = settings.iter().map(ToString::to_string).collect();
        self.start();
    }

    /// A file of its own that holds a secret.
    #[must_use]
    pub fn file(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.folder.join(name);
        std::fs::write(&path, contents).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        if is_root() {
            chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        path
    }

    /// Starts it, and waits until it takes connections.
    pub fn start(&self) {
        let log = || std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let refusals = || log().matches(STILL_IN_USE).count();
        let mut refused = refusals();
        self.start_without_waiting();
        let begun = Instant::now();
        while !self.is_ready() {
            assert!(begun.elapsed() < PATIENCE, "{:?} does not start: {}", self.kind, log());
            std::thread::sleep(Duration::from_millis(20));
            if refusals() > refused {
                refused = refusals();
                self.start_without_waiting();
            }
        }
    }

    /// Starts it; it may still be recovering.
    pub fn start_without_waiting(&self) {
        self.kill();
        let _ = std::fs::remove_file(self.folder.join("data/postmaster.pid"));
        let mut command = match self.kind {
            Kind::Postgres => postgres::start(&self.folder, self.port, self.is_lasting),
            Kind::MariaDb => mariadb::start(&self.folder, self.port, self.is_lasting),
        };
        command.args(&*self.settings.lock().unwrap());
        let process = Process::start(&self.folder, &command, self.is_removed);
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

    /// Runs SQL with the server's own client, as an operator would.
    pub fn run_by_client(&self, sql: &str) {
        let port = self.port.to_string();
        let mut client = match self.kind {
            Kind::Postgres => {
                let mut client = Command::new("psql");
                client.args(["-q", "-v", "ON_ERROR_STOP=1", "-U", "root", "-d", "postgres"]);
                client.args(["-h", "127.0.0.1", "-p", &port]);
                client
            }
            Kind::MariaDb => {
                let mut client = Command::new("mariadb");
                client.args(["--no-defaults", "-uroot", "-h127.0.0.1", "-P", &port, "cogency"]);
                client
            }
        };
        let mut input = tempfile::tempfile().unwrap();
        input.write_all(sql.as_bytes()).unwrap();
        input.rewind().unwrap();
        let output = client.stdin(input).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
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
