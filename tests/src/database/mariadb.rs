//! How a MariaDB server is made and started.

use std::path::Path;
use std::process::Command;

use super::process::is_root;

/// What there is when it has started; `guarded` has a password.
const CONTENTS: &str = "\
CREATE DATABASE IF NOT EXISTS cogency CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS guarded@'%' IDENTIFIED BY 'open sesame';
GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE ON cogency.* TO guarded@'%';
";

/// Makes the files of one.
pub(super) fn make(folder: &Path) -> Command {
    let mut command = Command::new("mariadb-install-db");
    command.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
    command.arg("--skip-test-db").arg(format!("--datadir={}", folder.join("data").display()));
    // It starts a server, and one that starts removes what it takes for another's leavings.
    command.env("TMPDIR", folder);
    command
}

pub(super) fn start(folder: &Path, port: u16, is_lasting: bool) -> Command {
    let contents = folder.join("contents.sql");
    std::fs::write(&contents, CONTENTS).unwrap();
    let mut command = Command::new("mariadbd");
    command.arg("--no-defaults").arg(format!("--datadir={}", folder.join("data").display()));
    // A server that starts removes what it takes for another's leavings.
    command.arg(format!("--tmpdir={}", folder.display()));
    command.arg(format!("--socket={}", folder.join("socket").display()));
    command.arg(format!("--init-file={}", contents.display()));
    command.args(["--bind-address=127.0.0.1", &format!("--port={port}")]);
    command.args(["--max-connections=300", "--max-allowed-packet=256M"]);
    command.arg("--innodb-log-file-size=1G");
    if !is_lasting {
        command.arg("--innodb-flush-log-at-trx-commit=2");
    }
    if is_root() {
        command.arg("--user=nobody");
    }
    command
}
