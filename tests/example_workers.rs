//! The example of many workers, run as a user runs it, against a server of the test's own.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use cogency_state_tests::example::built;
use cogency_state_tests::redis::RedisServer;

static WORKERS: LazyLock<PathBuf> = LazyLock::new(|| built("workers"));

const USERS: [&str; 3] = ["alice", "bob", "carol"];
const QUESTIONS: usize = 20;

fn workers(server: &RedisServer) -> Command {
    let mut command = Command::new(&*WORKERS);
    command.env("COGENCY_REDIS_URL", format!("{}?lease_ttl=300ms", server.url()));
    command
}

/// What a run printed that must have gone well, with workers killed.
fn printed(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(" was killed\n"), "{text}");
    assert!(text.ends_with("60 questions, 60 answers, nothing lost.\n"), "{text}");
    text
}

/// The ids of the questions in a user's conversation, as another program sees them.
fn ids(server: &RedisServer, user_id: &str) -> Vec<String> {
    let document: String = server.run(&["GET", &format!("cogency:state:{user_id}:example")]);
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let turns = document["state"]["turns"].as_array().unwrap();
    turns.iter().map(|turn| turn["id"].as_str().unwrap().to_owned()).collect()
}

fn assert_each_once(server: &RedisServer, due: usize) {
    for user_id in USERS {
        let ids = ids(server, user_id);
        assert_eq!(ids.len(), due, "{user_id}: {ids:?}");
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), due, "{user_id}: {ids:?}");
    }
}

#[test]
fn each_question_is_answered_once_while_workers_are_killed() {
    let server = RedisServer::start();
    for run in 1..=2 {
        let text = printed(workers(&server).output().unwrap());
        let all = QUESTIONS * run;
        for user_id in USERS {
            let line = format!("{user_id}: {QUESTIONS} answers, each once among {all} turns\n");
            assert!(text.contains(&line), "{text}");
        }
        assert_each_once(&server, all);
    }
}

#[test]
fn each_question_is_answered_once_while_the_server_is_killed_too() {
    let server = RedisServer::start();
    let mut command = workers(&server);
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for _ in 0..3 {
        thread::sleep(Duration::from_millis(700));
        server.restart();
    }
    printed(running.wait_with_output().unwrap());
    assert_each_once(&server, QUESTIONS);
}

#[test]
fn without_a_server_it_says_what_to_do() {
    let server = RedisServer::start();
    server.kill();
    let output = workers(&server).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.starts_with("error: redis://") && errors.contains("whether it runs"),
        "{errors}"
    );
    assert!(
        errors.contains("Start `redis-server`, or name a server in COGENCY_REDIS_URL"),
        "{errors}"
    );
}
