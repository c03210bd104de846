//! The chat example, run as a user runs it: as processes that end, or are killed.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::LazyLock;

use cogency_state_tests::example::built;
use tempfile::TempDir;

static CHAT: LazyLock<PathBuf> = LazyLock::new(|| built("chat"));

fn chat(dir: &Path, user_id: &str) -> Command {
    let mut command = Command::new(&*CHAT);
    command.env("COGENCY_STATE_DIR", dir).env_remove("OPENAI_API_KEY").args(["--user", user_id]);
    command
}

/// What the example prints about one question.
fn ask(dir: &Path, user_id: &str, question: &str) -> String {
    let output = chat(dir, user_id).arg(question).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A conversation with a process. Dropped, it is killed: with SIGKILL on Unix.
struct Session {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    greeting: String,
}

impl Session {
    fn start(dir: &Path, user_id: &str) -> Self {
        let mut command = chat(dir, user_id);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let input = process.stdin.take().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let greeting = output.next().unwrap().unwrap();
        Self { process, input, output, greeting }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    fn ask(&mut self, question: &str) -> String {
        self.say(question);
        self.output.next().unwrap().unwrap()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn answers_one_question() {
    let dir = TempDir::new().unwrap();
    for (question, answer) in [
        ("what is 6*7?", "6*7 = 42\n"),
        ("0.1 + 0.2", "0.1 + 0.2 = 0.3\n"),
        ("compute -2^2 + 2^3^2", "-2^2 + 2^3^2 = 508\n"),
        ("what is 1/0?", "I cannot calculate 1/0: division by zero.\n"),
        ("calculate 9^9^9^9", "I cannot calculate 9^9^9^9: it takes over 1s.\n"),
        ("how many turns?", "5 turns before this one.\n"),
    ] {
        assert_eq!(ask(dir.path(), "alice", question), answer, "{question}");
    }
}

#[test]
fn answers_several_questions_in_their_order() {
    let dir = TempDir::new().unwrap();
    let output = chat(dir.path(), "alice").args(["6*7", "how many turns?"]).output().unwrap();
    let answers = String::from_utf8(output.stdout).unwrap();
    assert_eq!(answers, "6*7 = 42\n1 turn before this one.\n");
}

#[test]
fn refuses_expressions_that_are_too_much() {
    let dir = TempDir::new().unwrap();
    let nested = format!("{}1{}", "(".repeat(9), ")".repeat(9));
    for expression in ["1+".repeat(50) + "1", nested] {
        let answer = ask(dir.path(), "alice", &expression);
        assert!(answer.contains("give at most"), "{answer}");
    }
}

#[test]
fn remembers_across_processes() {
    let dir = TempDir::new().unwrap();
    let first = Session::start(dir.path(), "alice");
    assert_eq!(first.greeting, "Hello alice, we have not talked yet.");
    drop(first);
    ask(dir.path(), "alice", "note: buy milk");
    ask(dir.path(), "alice", "Note: call Bob");
    assert_eq!(ask(dir.path(), "alice", "what did I note?"), "2 notes\n- buy milk\n- call Bob\n");
    let said = "- note: buy milk\n- Note: call Bob\n- what did I note?\n";
    assert_eq!(ask(dir.path(), "alice", "what did I say?"), said);
    let greeting = Session::start(dir.path(), "alice").greeting.clone();
    assert!(greeting.starts_with("Welcome back, alice: 4 turns since 20"), "{greeting}");
    assert!(greeting.ends_with(", 2 notes; last: \"what did I say?\""), "{greeting}");
}

#[test]
fn killed_it_remembers_everything_that_it_answered() {
    let dir = TempDir::new().unwrap();
    let mut answered = 0;
    for round in 0..5 {
        let mut session = Session::start(dir.path(), "alice");
        for turn in 0..3 {
            let question = format!("{round} + {turn}");
            let answer = session.ask(&question);
            assert_eq!(answer, format!("{question} = {}", round + turn));
            answered += 1;
        }
        // Killed in the middle of this one.
        session.say("how many turns?");
        drop(session);
        let said = ask(dir.path(), "alice", "what did I say?");
        answered += 1;
        let lines: Vec<_> = said.lines().filter(|line| line.contains('+')).collect();
        assert_eq!(lines.len(), (round + 1) * 3, "{said}");
        assert_eq!(lines.last(), Some(&&*format!("- {round} + 2")));
    }
    let count = ask(dir.path(), "alice", "how many turns?");
    let count: usize = count.split(' ').next().unwrap().parse().unwrap();
    assert!((answered..=answered + 5).contains(&count), "{answered} answered, {count} kept");
}

#[test]
fn users_and_sessions_are_apart() {
    let dir = TempDir::new().unwrap();
    ask(dir.path(), "alice", "note: a secret");
    assert_eq!(ask(dir.path(), "bob", "what did I note?"), "0 notes\n");
    assert_eq!(ask(dir.path(), "bob", "what did I say?"), "- what did I note?\n");
    let greeting = Session::start(dir.path(), "al").greeting.clone();
    assert_eq!(greeting, "Hello al, we have not talked yet.");

    let in_session = |question| {
        let output = chat(dir.path(), "alice").args(["--session", "work", question]).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    assert_eq!(in_session("what did I say?"), "Nothing yet.\n");
    assert_eq!(in_session("what did I note?"), "1 note\n- a secret\n", "notes are the user's");
}

#[test]
fn forgets_a_user_and_no_other() {
    let dir = TempDir::new().unwrap();
    for user_id in ["alice", "bob"] {
        ask(dir.path(), user_id, "note: buy milk");
    }
    let output = chat(dir.path(), "alice").arg("--forget").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Forgot 2 states of alice.\n");
    assert_eq!(ask(dir.path(), "alice", "how many turns?"), "0 turns before this one.\n");
    assert_eq!(ask(dir.path(), "bob", "what did I note?"), "1 note\n- buy milk\n");
}

#[test]
fn an_error_does_not_end_the_chat() {
    let dir = TempDir::new().unwrap();
    let mut session = Session::start(dir.path(), "alice");
    assert_eq!(session.ask("1+1"), "1+1 = 2");
    let state = dir.path().join("alice/default/journal.jsonl");
    let intact = std::fs::read(&state).unwrap();
    std::fs::write(&state, "not a state").unwrap();
    session.say("2+2");
    let mut errors = BufReader::new(session.process.stderr.take().unwrap()).lines();
    let error = errors.next().unwrap().unwrap();
    assert!(error.starts_with("error: ") && error.contains("\"alice\"/\"default\""), "{error}");
    std::fs::write(&state, intact).unwrap();
    assert_eq!(session.ask("how many turns?"), "1 turn before this one.");
}

#[test]
fn bad_arguments_give_the_usage_and_code_2() {
    for arguments in [&["--bogus"][..], &["--user"], &["one", "--forget"], &["--forget", "one"]] {
        let output = Command::new(&*CHAT).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.starts_with("error: ") && errors.contains("\nUsage: chat "), "{errors}");
    }
    let help = Command::new(&*CHAT).arg("--help").output().unwrap();
    assert!(help.status.success());
    assert!(String::from_utf8(help.stdout).unwrap().starts_with("Usage: chat "));
}

#[test]
fn a_key_that_this_build_cannot_use_is_mentioned() {
    let dir = TempDir::new().unwrap();
    let mut command = chat(dir.path(), "alice");
    let output = command.env("OPENAI_API_KEY", "secret").arg("1+1").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1+1 = 2\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("--features openai"));
}
