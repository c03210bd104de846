//! A master, a replica, and three sentinels that replace the one by the other.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::process::Process;
use super::server::{RedisServer, free_port};
use super::wait_for;

/// What the sentinels call the master.
pub const MASTER: &str = "mymaster";

/// How many of three have to agree.
const QUORUM: usize = 2;

/// How long a server is away before a sentinel takes it to be down.
const DOWN_AFTER: Duration = Duration::from_secs(1);

/// The servers, and who watches them.
#[derive(Debug)]
pub struct Sentinels {
    /// The first one is the master in the beginning.
    servers: [RedisServer; 2],
    sentinels: Vec<Sentinel>,
}

#[derive(Debug)]
struct Sentinel {
    port: u16,
    tls_port: u16,
    _process: Process,
    _folder: TempDir,
}

impl Sentinels {
    /// Starts them, and waits until all know of each other.
    #[must_use]
    pub fn start() -> Self {
        Self::of("", "", &[])
    }

    /// The same with a password of the servers and another one of the sentinels.
    #[must_use]
    pub fn with_passwords(of_servers: &str, of_sentinels: &str) -> Self {
        Self::of(of_servers, of_sentinels, &[])
    }

    /// The same where all of them speak TLS, with these settings.
    #[must_use]
    pub fn with_tls(settings: &[&str]) -> Self {
        Self::of("", "", &[&["--tls-replication", "yes"], settings].concat())
    }

    fn of(of_servers: &str, of_sentinels: &str, tls: &[&str]) -> Self {
        let settings = ["--requirepass", of_servers, "--masterauth", of_servers];
        let settings = [&settings[..], &["--repl-diskless-sync-delay", "0"], tls].concat();
        let (port_of_master, port_of_replica) = (free_port().to_string(), free_port().to_string());
        let master = RedisServer::with(&with_port(&settings, tls, &port_of_master));
        let port = if tls.is_empty() { master.port().to_string() } else { port_of_master };
        let settings = with_port(&settings, tls, &port_of_replica);
        let replica =
            RedisServer::with(&[&settings[..], &["--replicaof", "127.0.0.1", &port]].concat());
        let sentinels =
            (0..3).map(|_| Sentinel::start(&port, of_servers, of_sentinels, tls)).collect();
        let all = Self { servers: [master, replica], sentinels };
        wait_for("sentinels that know each other and the replica", || {
            all.sentinels.iter().all(|sentinel| sentinel.knows_all(of_sentinels))
        });
        all
    }

    /// Their URL, with what stands before the hosts, such as `:password@`.
    #[must_use]
    pub fn url_with(&self, user: &str) -> String {
        let hosts = self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port));
        let hosts = hosts.collect::<Vec<_>>().join(",");
        format!("redis+sentinel://{user}{hosts}/{MASTER}")
    }

    /// Their URL by TLS, where they speak it.
    #[must_use]
    pub fn tls_url(&self) -> String {
        let hosts = self.sentinels.iter().map(|one| format!("127.0.0.1:{}", one.tls_port));
        format!("rediss+sentinel://{}/{MASTER}", hosts.collect::<Vec<_>>().join(","))
    }

    /// Their URL by each sentinel alone. Calls of one process by different URLs do not know of each
    /// other, as those of other processes.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let url =
            |sentinel: &Sentinel| format!("redis+sentinel://127.0.0.1:{}/{MASTER}", sentinel.port);
        self.sentinels.iter().map(url).collect()
    }

    /// Their URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_with("")
    }

    /// The two servers. The first one is the master in the beginning.
    #[must_use]
    pub fn servers(&self) -> &[RedisServer; 2] {
        &self.servers
    }
}

impl Sentinel {
    fn start(master: &str, of_master: &str, password: &str, tls: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, tls_port) = (free_port(), free_port());
        let down_after = DOWN_AFTER.as_millis();
        let mut config = format!(
            "port {port}\nbind 127.0.0.1\n\
             sentinel monitor {MASTER} 127.0.0.1 {master} {QUORUM}\n\
             sentinel down-after-milliseconds {MASTER} {down_after}\n\
             sentinel failover-timeout {MASTER} 5000\n"
        );
        if !of_master.is_empty() {
            writeln!(config, "sentinel auth-pass {MASTER} {of_master}").unwrap();
        }
        if !password.is_empty() {
            writeln!(config, "requirepass {password}").unwrap();
            writeln!(config, "sentinel sentinel-pass {password}").unwrap();
        }
        for setting in with_port(tls, tls, &tls_port.to_string()).chunks(2) {
            writeln!(config, "{}", setting.join(" ").trim_start_matches("--")).unwrap();
        }
        let process = Self::run(folder.path(), &config);
        Self { port, tls_port, _process: process, _folder: folder }
    }

    fn run(folder: &Path, config: &str) -> Process {
        let file = folder.join("sentinel.conf");
        std::fs::write(&file, config).unwrap();
        let arguments = [file.to_str().unwrap().to_owned(), "--sentinel".to_owned()];
        Process::start(folder, &arguments, false)
    }

    fn knows_all(&self, password: &str) -> bool {
        let url = match password {
            "" => format!("redis://127.0.0.1:{}", self.port),
            password => format!("redis://:{password}@127.0.0.1:{}", self.port),
        };
        let client = redis::Client::open(url).unwrap();
        let Ok(mut connection) = client.get_connection() else { return false };
        let mut command = redis::cmd("SENTINEL");
        let master: Vec<String> =
            command.arg("MASTER").arg(MASTER).query(&mut connection).unwrap_or_default();
        let says = |field: &str, value: &str| {
            master.chunks(2).any(|pair| pair[0] == field && pair[1] == value)
        };
        says("num-slaves", "1") && says("num-other-sentinels", "2") && says("flags", "master")
    }
}

/// Settings with the port for TLS, if there is TLS.
fn with_port<'a>(settings: &[&'a str], tls: &[&str], port: &'a str) -> Vec<&'a str> {
    let port = if tls.is_empty() { &[][..] } else { &["--tls-port", port] };
    [settings, port].concat()
}
