//! PgBouncer in front of a PostgreSQL server.

use std::net::TcpStream;
use std::os::unix::fs::chown;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::process::{NOBODY, Process, is_root};
use super::server::{DatabaseServer, free_port};

/// Two connections to the server for all that come: each transaction may get either.
const SETTINGS: &str = "
[databases]
postgres = host=127.0.0.1 port=SERVER user=root
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = PORT
auth_type = any
pool_mode = transaction
default_pool_size = 2
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
unix_socket_dir =
";

/// One in transaction mode. Dropped, it is killed.
#[derive(Debug)]
pub struct PgBouncer {
    port: u16,
    _running: Process,
    _folder: TempDir,
}

impl PgBouncer {
    /// Starts it in front of a server.
    #[must_use]
    pub fn before(server: &DatabaseServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let port = free_port();
        let settings = SETTINGS.replace("SERVER", &server.port().to_string());
        let file = folder.path().join("settings.ini");
        std::fs::write(&file, settings.replace("PORT", &port.to_string())).unwrap();
        let mut command = Command::new("pgbouncer");
        command.arg(&file);
        let running = Process::start(folder.path(), &command, false);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = || std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(30), "no pgbouncer: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { port, _running: running, _folder: folder }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://root@127.0.0.1:{}/postgres", self.port)
    }
}
