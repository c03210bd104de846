//! A process of a server that ends with whoever started it.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Ends the server when its standard input is closed: also when the tests are killed.
const GUARD: &str = r#"
"$@" >>log 2>&1 </dev/null &
echo $!
read -r _
kill -9 $!
wait $! 2>/dev/null
[ -z "$REMOVE" ] || rm -rf "$REMOVE"
"#;

/// Somebody whom a server runs as that does not run as root.
pub(super) const NOBODY: u32 = 65534;

/// A running server. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Process {
    guard: Child,
    input: Option<ChildStdin>,
}

impl Process {
    /// Starts one in a folder, where it writes its `log`, and which may be removed at its end.
    pub(super) fn start(folder: &Path, command: &Command, removes: bool) -> Self {
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "sh"]).arg(command.get_program()).args(command.get_args());
        guard.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        if removes {
            guard.env("REMOVE", folder);
        }
        not_as_root(&mut guard);
        let mut guard = guard.spawn().unwrap();
        let mut pid = String::new();
        BufReader::new(guard.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        let input = guard.stdin.take();
        Self { guard, input }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.guard.wait();
    }
}

/// Whether these tests run as root.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Has a program run as nobody if this one runs as root.
pub(super) fn not_as_root(command: &mut Command) -> &mut Command {
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}
