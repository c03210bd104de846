//! The chat server, run as a user runs it: asked over HTTP, ended by SIGTERM at bad moments.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cogency_state_tests::example::built_with;
use cogency_state_tests::redis::RedisServer;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

static SERVER: LazyLock<PathBuf> = LazyLock::new(|| built_with("server", &["server"]));

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(state: &str) -> Self {
        Self::spawn(Command::new(&*SERVER).args(["--state", state]))
    }

    fn spawn(command: &mut Command) -> Self {
        let command = command.args(["--listen", "127.0.0.1:0"]).env("RUST_LOG", "error");
        let command = command.stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Self { process, address }
    }

    fn terminate(&self) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
    }

    fn ended(mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn ask(&self, user_id: &str, question: &str) -> (u16, Value) {
        let body = json!({ "question": question }).to_string();
        let answer = request(&self.address, "POST", &format!("/chat/{user_id}/default"), &body);
        let (status, body) = answer.unwrap();
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    fn get(&self, path: &str) -> (u16, String) {
        request(&self.address, "GET", path, "").unwrap()
    }

    fn turns(&self, user_id: &str) -> Vec<Value> {
        let (status, body) = self.get(&format!("/chat/{user_id}/default"));
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One request on a connection of its own. `None` if it was not answered, or not all of it.
fn request(address: &str, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

fn file(dir: &TempDir) -> String {
    format!("file:{}", dir.path().display())
}

#[test]
fn conversations_go_on_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(&file(&dir));
    let (status, turn) = server.ask("alice", "what is it?");
    assert_eq!((status, &turn["answer"]), (200, &json!("That was question 1, of 3 words.")));
    server.terminate();
    assert!(server.ended().success());

    let server = Server::start(&file(&dir));
    let (_, turn) = server.ask("alice", "and now?");
    assert_eq!(turn["answer"], "That was question 2, of 2 words.");
    assert_eq!(server.turns("alice").len(), 2);
    assert_eq!(server.turns("bob").len(), 0);

    let forget = || request(&server.address, "DELETE", "/chat/alice/default", "").unwrap().0;
    assert_eq!((forget(), forget()), (204, 404));
    assert_eq!(server.turns("alice").len(), 0);
}

#[test]
fn a_client_learns_what_it_did_wrong_and_not_where_states_are_kept() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(&file(&dir));
    let (status, said) =
        server.ask("%20".repeat(cogency_state::MAX_ID_BYTES + 1).as_str(), "hello");
    assert_eq!(status, 400, "{said}");
    assert_eq!(server.get("/chat/alice/default/history"), (200, "[]".to_owned()));

    fs::create_dir_all(dir.path().join("alice/default")).unwrap();
    fs::write(dir.path().join("alice/default/state.json"), "{ damaged").unwrap();
    let (status, said) = server.ask("alice", "hello");
    assert_eq!((status, said), (500, json!("this session cannot go on")));
}

#[test]
fn health_and_metrics_say_that_all_is_well() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(&file(&dir));
    let (status, body) = server.get("/health");
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["ok"], true);

    server.ask("alice", "hello");
    let (status, body) = server.get("/metrics");
    assert_eq!(status, 200);
    for line in [
        r#"cogency_calls_total{function="turn",outcome="saved"} 1"#,
        r#"cogency_saves_total{backend="file",outcome="saved"} 1"#,
        r#"cogency_save_duration_seconds_bucket{backend="file",le="+Inf"} 1"#,
        "# TYPE cogency_calls_total counter",
        r#"cogency_backend_away{backend="file"} 0"#,
    ] {
        assert!(body.lines().any(|told| told == line), "{line}: {body}");
    }
    assert!(!body.contains("alice"), "{body}");
}

/// Of strace, which makes each save take two seconds: `-D` makes it the server's grandchild, so
/// that the signal meets the server.
fn with_slow_saves() -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync"]);
    strace.args(["-e", "inject=fdatasync:delay_enter=2s"]).arg(&*SERVER);
    strace
}

/// Whether a save has begun: its file is there, and the journal is not.
fn is_being_saved(folder: &Path) -> bool {
    let names = fs::read_dir(folder).into_iter().flatten();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.iter().any(|name| name != "lock") && !names.iter().any(|name| name == "journal.jsonl")
}

#[test]
fn a_turn_that_is_being_saved_at_sigterm_is_saved_and_answered() {
    let dir = TempDir::new().unwrap();
    let server = Server::spawn(with_slow_saves().args(["--state", &file(&dir)]));
    thread::scope(|scope| {
        let asking = scope.spawn(|| server.ask("alice", "hello"));
        let (begun, folder) = (Instant::now(), dir.path().join("alice/default"));
        while !is_being_saved(&folder) {
            assert!(begun.elapsed() < PATIENCE && !asking.is_finished(), "no save was seen");
            thread::sleep(Duration::from_millis(1));
        }
        server.terminate();
        let (status, turn) = asking.join().unwrap();
        assert_eq!((status, &turn["question"]), (200, &json!("hello")));
    });
    assert!(server.ended().success());
    assert_eq!(Server::start(&file(&dir)).turns("alice").len(), 1);
}

#[test]
fn a_turn_that_outlasts_the_grace_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let mut command = Command::new(&*SERVER);
    command.args(["--state", &file(&dir), "--thinks", "50s", "--grace", "100ms"]);
    let server = Server::spawn(&mut command);
    thread::scope(|scope| {
        let asking = scope.spawn(|| request(&server.address, "POST", "/chat/alice/default", HELLO));
        let (begun, lock) = (Instant::now(), dir.path().join("alice/default/lock"));
        while !lock.exists() {
            assert!(begun.elapsed() < PATIENCE && !asking.is_finished(), "no turn was seen");
            thread::sleep(Duration::from_millis(1));
        }
        server.terminate();
        assert_eq!(asking.join().unwrap(), None);
    });
    assert_eq!(server.ended().code(), Some(1));
    assert_eq!(Server::start(&file(&dir)).turns("alice").len(), 0);
}

const HELLO: &str = r#"{"question": "hello"}"#;
const USERS: usize = 8;

/// Lets users ask until the server takes no more questions, and ends it when it has given so many
/// answers. Gives how many answers each user got.
fn answers_until_sigterm(server: &Server, enough: usize) -> Vec<usize> {
    let answered = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (address, answered) = (&server.address, &answered);
        let ask = move |user: usize| {
            let path = format!("/chat/user-{user}/default");
            let mut own = 0;
            while let Some((status, body)) = request(address, "POST", &path, HELLO) {
                assert_eq!(status, 200, "{body}");
                own += 1;
                if answered.fetch_add(1, Ordering::Relaxed) + 1 == enough {
                    server.terminate();
                }
            }
            own
        };
        let users: Vec<_> = (0..USERS).map(|user| scope.spawn(move || ask(user))).collect();
        users.into_iter().map(|user| user.join().unwrap()).collect()
    })
}

/// Each answer that was given stands in the state, and each that stands there was given.
fn assert_nothing_is_lost_at_sigterm(state: &str) {
    let mut answers = vec![0; USERS];
    for enough in [20, 37, 64] {
        let server = Server::start(state);
        let own = answers_until_sigterm(&server, enough);
        assert!(server.ended().success());
        answers.iter_mut().zip(own).for_each(|(answers, own)| *answers += own);
    }
    let server = Server::start(state);
    let stored: Vec<_> =
        (0..USERS).map(|user| server.turns(&format!("user-{user}")).len()).collect();
    assert_eq!(stored, answers);
}

#[test]
fn nothing_is_lost_at_sigterm_under_load_on_files() {
    let dir = TempDir::new().unwrap();
    assert_nothing_is_lost_at_sigterm(&file(&dir));
}

#[test]
fn nothing_is_lost_at_sigterm_under_load_on_redis() {
    let redis = RedisServer::start();
    assert_nothing_is_lost_at_sigterm(&redis.url());
}

#[test]
fn a_server_that_starts_while_its_backend_is_away_goes_on_with_what_waits_on_its_disk() {
    let (redis, spool) = (RedisServer::start(), TempDir::new().unwrap());
    let start = || {
        let mut command = Command::new(&*SERVER);
        command.args(["--state", &redis.url()]).env("COGENCY_SPOOL_DIR", spool.path());
        Server::spawn(&mut command)
    };
    let server = start();
    assert_eq!(server.ask("alice", "one").1["spooled"], false);
    redis.kill();
    assert_eq!(server.ask("alice", "two").1["spooled"], true);
    server.terminate();
    assert!(server.ended().success());

    let server = start();
    let (status, answer) = server.ask("alice", "three");
    assert_eq!((status, &answer["spooled"]), (200, &json!(true)), "{answer}");
    assert_eq!(server.ask("bob", "who am I?").0, 503, "nobody here knows");
    assert_eq!(server.get("/health").0, 503);
    redis.restart();
    let begun = Instant::now();
    while server.get("/health").0 != 200 {
        assert!(begun.elapsed() < PATIENCE, "{}", server.get("/health").1);
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(server.ask("alice", "four").1["spooled"], false);
    assert_eq!(server.turns("alice").len(), 4);
}

#[test]
fn a_url_that_names_no_backend_is_refused_without_its_password() {
    let output =
        Command::new(&*SERVER).args(["--state", "reddis://:hunter2@host"]).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("reddis") && !errors.contains("hunter2"), "{errors}");
}
