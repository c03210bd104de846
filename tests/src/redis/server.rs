//! A `redis-server` in a folder of its own, that ends with whoever started it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::process::Process;

/// Every acknowledged write is on the disk; no snapshots.
const DURABLE: [&str; 6] = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];

/// How long a server may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server. Dropped, it is killed and its files are removed.
#[derive(Debug)]
pub struct RedisServer {
    folder: PathBuf,
    port: u16,
    settings: Vec<String>,
    running: Mutex<Option<Process>>,
    owned: Option<TempDir>,
}

/// The server that the tests of this process share, each with a prefix of its own: for tests that
/// do not hurt it.
pub fn shared() -> &'static RedisServer {
    static SHARED: OnceLock<RedisServer> = OnceLock::new();
    SHARED.get_or_init(|| RedisServer::kept(&[]))
}

/// A prefix that no other test of this process has.
#[must_use]
pub fn fresh_prefix() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("test-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

impl RedisServer {
    /// A server that has every acknowledged write on its disk.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same with settings such as `["--maxmemory", "10mb"]`. Later ones count.
    #[must_use]
    pub fn with(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder.path().to_owned(), Some(folder), settings)
    }

    /// One in a static, which nobody drops: its files are removed when the tests end.
    pub(super) fn kept(settings: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap().keep(), None, settings)
    }

    fn start_in(folder: PathBuf, owned: Option<TempDir>, settings: &[&str]) -> Self {
        let settings = settings.iter().map(ToString::to_string).collect();
        let running = Mutex::new(None);
        let mut server = Self { folder, port: free_port(), settings, running, owned };
        while !server.comes() {
            server.port = free_port();
        }
        server
    }

    /// Starts it again, as it was.
    pub fn restart(&self) {
        let begun = Instant::now();
        while !self.comes() {
            assert!(begun.elapsed() < PATIENCE, "the port {} stays taken", self.port);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Starts it and waits; `false` if somebody else has taken its port.
    fn comes(&self) -> bool {
        let _ = std::fs::remove_file(self.log());
        self.start_without_waiting();
        let begun = Instant::now();
        while !self.is_ready() {
            let log = std::fs::read_to_string(self.log()).unwrap_or_default();
            if log.contains("Address already in use") {
                return false;
            }
            assert!(
                begun.elapsed() < PATIENCE && !log.contains("not found"),
                "redis-server does not start (`tests/run` installs it): {log}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Starts it again; it may still be reading its data.
    pub fn start_without_waiting(&self) {
        self.kill();
        let (port, socket) = (self.port.to_string(), self.socket());
        let fixed = ["--bind", "127.0.0.1", "--port", &port, "--unixsocket"].map(str::to_owned);
        let mut arguments = fixed.to_vec();
        arguments.push(socket.to_str().unwrap().to_owned());
        arguments.extend(DURABLE.map(str::to_owned));
        arguments.extend_from_slice(&self.settings);
        let process = Process::start(&self.folder, &arguments, self.owned.is_none());
        *self.running.lock().unwrap() = Some(process);
    }

    fn is_ready(&self) -> bool {
        let client = redis::Client::open(format!("redis+unix://{}", self.socket().display()));
        // One that wants a password or TLS is ready too.
        match client.and_then(|client| client.get_connection()) {
            Ok(mut connection) => match redis::cmd("PING").query::<()>(&mut connection) {
                Ok(()) => true,
                Err(error) => error.code() == Some("NOAUTH"),
            },
            Err(_) => false,
        }
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&self) {
        drop(self.running.lock().unwrap().take());
    }

    /// Stops it where it stands, until [`resume`](Self::resume).
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        self.running.lock().unwrap().as_ref().unwrap().signal(signal);
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of a setting that it was started with.
    pub(super) fn setting(&self, name: &str) -> &str {
        let place = self.settings.iter().position(|setting| setting == name).unwrap();
        &self.settings[place + 1]
    }

    /// Its Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether it takes writes, and is no replica.
    #[must_use]
    pub fn is_master(&self) -> bool {
        self.run::<String>(&["INFO", "replication"]).contains("role:master")
    }

    /// Sends it a command, as an operator would; it must not refuse.
    pub fn run<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        self.send(command).unwrap()
    }

    /// Sends it a command that it may refuse.
    ///
    /// # Errors
    /// What it answered.
    pub fn send<T: redis::FromRedisValue>(&self, command: &[&str]) -> redis::RedisResult<T> {
        let url = format!("redis+unix://{}", self.socket().display());
        let mut connection = redis::Client::open(url)?.get_connection()?;
        let (name, arguments) = command.split_first().unwrap();
        redis::cmd(name).arg(arguments).query(&mut connection)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody listens on.
pub(super) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
