//! A process of a server that ends with whoever started it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Ends the server when its standard input is closed: also when the tests are killed.
const GUARD: &str = r#"
redis-server "$@" >>log 2>&1 </dev/null &
echo $!
read -r _
kill -9 $!
wait $! 2>/dev/null
[ -z "$REMOVE" ] || rm -rf "$REMOVE"
"#;

/// A running `redis-server`. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Process {
    guard: Child,
    input: Option<ChildStdin>,
    pid: u32,
}

impl Process {
    /// Starts one in a folder, where it writes its `log`, and which may be removed at its end.
    pub(super) fn start(folder: &Path, arguments: &[String], removes: bool) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "sh"]).args(arguments).current_dir(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        if removes {
            command.env("REMOVE", folder);
        }
        let mut guard = command.spawn().unwrap();
        let mut pid = String::new();
        BufReader::new(guard.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        let input = guard.stdin.take();
        Self { guard, input, pid: pid.trim().parse().unwrap() }
    }

    /// Sends it a signal such as `-STOP`.
    pub(super) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid.to_string()]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.guard.wait();
    }
}
