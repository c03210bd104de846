//! A `redis-server` in a folder of its own, that ends with whoever started it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Ends the server when its standard input is closed: also when the tests are killed.
const GUARD: &str = r#"
redis-server "$@" >>log 2>&1 </dev/null &
echo $!
read -r _
kill -9 $!
wait $! 2>/dev/null
[ -z "$REMOVE" ] || rm -rf "$REMOVE"
"#;

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
    running: Mutex<Option<Running>>,
    owned: Option<TempDir>,
}

#[derive(Debug)]
struct Running {
    guard: Child,
    input: ChildStdin,
    pid: i32,
}

/// The server that the tests of this process share, each with a prefix of its own: for tests that
/// do not hurt it.
pub fn shared() -> &'static RedisServer {
    static SHARED: OnceLock<RedisServer> = OnceLock::new();
    SHARED.get_or_init(|| {
        // Nobody drops what is static.
        let folder = tempfile::tempdir().unwrap().keep();
        RedisServer::start_in(folder, None, &[])
    })
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
        let port = self.port.to_string();
        let socket = self.socket();
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "sh", "--port", &port, "--bind", "127.0.0.1"]);
        command.arg("--unixsocket").arg(socket).args(DURABLE).args(&self.settings);
        command.current_dir(&self.folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        if self.owned.is_none() {
            command.env("REMOVE", &self.folder);
        }
        let mut guard = command.spawn().unwrap();
        let mut pid = String::new();
        BufReader::new(guard.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        let (input, pid) = (guard.stdin.take().unwrap(), pid.trim().parse().unwrap());
        *self.running.lock().unwrap() = Some(Running { guard, input, pid });
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
        let Some(Running { mut guard, input, .. }) = self.running.lock().unwrap().take() else {
            return;
        };
        drop(input);
        guard.wait().unwrap();
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
        let pid = self.running.lock().unwrap().as_ref().unwrap().pid.to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
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
