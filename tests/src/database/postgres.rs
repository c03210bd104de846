//! How a PostgreSQL server is made and started.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Who may come in, and how: `guarded` with a password.
const ACCESS: &str = "\
host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
local all all trust
";

/// Makes the files of one.
pub(super) fn make(folder: &Path) -> Command {
    let mut command = Command::new(program("initdb"));
    command.args(["--no-sync", "--username=root", "--encoding=UTF8", "--locale=C", "-A", "trust"]);
    command.arg("-D").arg(folder.join("data"));
    command
}

pub(super) fn start(folder: &Path, port: u16, is_lasting: bool) -> Command {
    std::fs::write(folder.join("data/pg_hba.conf"), ACCESS).unwrap();
    let mut command = Command::new(program("postgres"));
    command.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string()]);
    command.arg("-k").arg(folder).args(["-c", "listen_addresses=127.0.0.1"]);
    command.args(["-c", "max_connections=300"]);
    if !is_lasting {
        command.args(["-c", "fsync=off"]);
    }
    command
}

/// Debian keeps the programs of each version apart, and out of the way.
fn program(name: &str) -> PathBuf {
    let of_debian = Path::new("/usr/lib/postgresql").read_dir().into_iter().flatten().flatten();
    let of_debian = of_debian.map(|version| version.path().join("bin").join(name));
    of_debian.filter(|path| path.exists()).max().unwrap_or_else(|| name.into())
}
