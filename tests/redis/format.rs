//! What is stored of a large state and its history is frozen: what one version of the library wrote
//! every later one reads, and goes on with; and so does who reads Redis directly.
//!
//! ```text
//! COGENCY_WRITE_FIXTURES=1 cargo test -p cogency-state-tests --test redis format
//! ```

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use cogency_state::{
    Action, HistoryBackend, Metadata, Moment, Record, RedisBackend, Retention, Revision,
    StateBackend as _, Write,
};
use cogency_state_tests::redis::{fresh_prefix, shared};
use serde_json::{Value, json};

use crate::{in_history, key, lease};

/// The states of the frozen history, one after the other; `None` for a delete.
fn states() -> [Option<String>; 6] {
    let long = "grüße, 日本 \u{1f916} \\u0000 \\\"q\\\" ".repeat(80);
    [
        Some("null".to_owned()),
        None,
        Some(format!("{{\"turns\":[\"{long}\"],\"cost\":0.1}}")),
        Some(format!("{{\"turns\":[\"{long}\",\"again\"],\"cost\":0.2}}")),
        Some(format!("{{\"turns\":[\"{long}\",\"again\",\"{}\"],\"cost\":0.3}}", "x".repeat(2500))),
        Some(format!("{{\"turns\":[\"{long}\",\"again\",\"日本\"],\"cost\":0.3}}")),
    ]
}

fn backend(prefix: &str) -> RedisBackend {
    in_history(&shared().url(), prefix).history(Retention::All).build().unwrap()
}

/// Writes what is frozen.
async fn write(prefix: &str) {
    let backend = backend(prefix);
    let held = lease(&backend, &key("alice")).await;
    let mut last: Option<Record> = None;
    for state in states() {
        let Some(state) = state else {
            assert!(backend.delete_state(&held).await.unwrap());
            // The first entry goes.
            backend.prune_history(&key("alice"), Retention::Age(Duration::ZERO)).await.unwrap();
            last = None;
            continue;
        };
        let mut metadata = Metadata::now();
        metadata.llm_provider = "openai".into();
        metadata.llm_model = "gpt-4".into();
        metadata.phase_completed = Some("reasoning".into());
        metadata.actor = Some("support/anna".into());
        metadata.custom.insert("team".to_owned(), json!(["blue", {"size": 2}]));
        let expected = last.as_ref().map(|last| last.revision);
        let revision = Revision::after(expected);
        let state_type = Some("agent::Chat".into());
        let record = Record::new(key("alice"), revision, state_type, metadata, state.into());
        let write = Write::new(record.clone(), expected).with_action(Action::Save);
        let write = write.with_replaced(last.map(|last| last.state));
        backend.save_state(&held, &write).await.unwrap();
        last = Some(record);
    }
    backend.release_lease(&held).await.unwrap();
}

/// The commands that make what is stored of alice's state.
fn stored(prefix: &str) -> Vec<Vec<String>> {
    let record = format!("{prefix}:state:alice:default");
    let set = ["SET", &record, &shared().run::<String>(&["GET", &record])];
    let mut commands = vec![set.map(str::to_owned).to_vec()];
    for stream in ["history", "contents"] {
        let name = format!("{prefix}:{stream}:{{{record}}}");
        let items: Vec<(String, Vec<String>)> = shared().run(&["XRANGE", &name, "-", "+"]);
        for (id, fields) in items {
            let add = [&["XADD".to_owned(), name.clone(), id][..], &fields].concat();
            commands.push(add);
        }
    }
    commands
}

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/format/redis.jsonl")
}

/// The frozen commands, below another prefix.
fn frozen(prefix: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(fixture()).unwrap();
    let renamed = |command: Vec<String>| -> Vec<String> {
        let name = command[1].replace("cogency:", &format!("{prefix}:"));
        [&[command[0].clone(), name], &command[2..]].concat()
    };
    text.lines().map(|line| renamed(serde_json::from_str(line).unwrap())).collect()
}

/// A text in which what differs from run to run is replaced: ids, hashes and times, who did it.
fn timeless(text: &str) -> String {
    let fields = serde_json::from_str::<Value>(text).unwrap_or_default();
    let mut text = text.to_owned();
    for field in ["process", "host"] {
        if let Some(value) = fields.get(field) {
            text = text.replacen(&format!("\"{field}\":{value}"), &format!("\"{field}\":*"), 1);
        }
    }
    for (length, is_of_one) in [
        (27, (|c| c.is_ascii_digit() || "-:.TZ".contains(c)) as fn(char) -> bool),
        (16, |c| c.is_ascii_hexdigit() || c == '-'),
    ] {
        text = without_runs(&text, length, is_of_one);
    }
    text
}

/// Replaces what is at least so long and of such characters alone.
fn without_runs(text: &str, length: usize, is_of_one: fn(char) -> bool) -> String {
    let mut without = String::new();
    let mut rest = text;
    while let Some(begin) = rest.find(is_of_one) {
        let (before, run) = rest.split_at(begin);
        let end = run.find(|c| !is_of_one(c)).unwrap_or(run.len());
        without.push_str(before);
        without.push_str(if end < length { &run[..end] } else { "*" });
        rest = &run[end..];
    }
    without + rest
}

#[tokio::test]
async fn what_is_stored_is_written_as_it_always_was() {
    let prefix = fresh_prefix();
    write(&prefix).await;
    let now = stored(&prefix);
    if std::env::var_os("COGENCY_WRITE_FIXTURES").is_some() {
        let line = |command: &Vec<String>| {
            let name = command[1].replace(&prefix, "cogency");
            let command = [&[command[0].clone(), name], &command[2..]].concat();
            serde_json::to_string(&command).unwrap() + "\n"
        };
        fs::write(fixture(), now.iter().map(line).collect::<String>()).unwrap();
    }
    let due = frozen(&prefix);
    assert_eq!(now.len(), due.len());
    for (now, due) in now.iter().zip(&due) {
        let timeless = |command: &[String]| command.iter().map(|text| timeless(text)).collect();
        let (now, due): (Vec<_>, Vec<_>) = (timeless(now), timeless(due));
        assert_eq!(now, due);
    }
}

#[tokio::test]
async fn what_was_stored_is_read_and_gone_on_with() {
    let prefix = fresh_prefix();
    for command in frozen(&prefix) {
        shared().run::<()>(&command.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let backend = backend(&prefix);
    let record = backend.load_state(&key("alice")).await.unwrap().unwrap();
    let states = states();
    assert_eq!(record.state, states[5].clone().unwrap());
    assert_eq!((record.revision.version, &*record.metadata.llm_model), (4, "gpt-4"));
    for (version, state) in [1, 2, 3].into_iter().zip(&states[2..]) {
        let found = backend.load_history(&key("alice"), Moment::Version(version)).await.unwrap();
        assert_eq!(found.unwrap().state, state.clone().unwrap(), "{version}");
    }
    let verified = backend.verify_history(&key("alice")).await.unwrap();
    assert_eq!((verified.entries, verified.is_current), (6, true));
    let manager = crate::strict(backend.clone());
    manager.save_state(&key("alice"), json!({"turns": []}), Some(record.revision)).await.unwrap();
    assert!(backend.verify_history(&key("alice")).await.unwrap().is_current);
}

/// As the guide says it: without this library.
#[tokio::test]
async fn who_reads_redis_directly_puts_a_large_state_together_out_of_its_history() {
    let prefix = fresh_prefix();
    write(&prefix).await;
    let record = format!("{prefix}:state:alice:default");
    let document: Value = serde_json::from_str(&shared().run::<String>(&["GET", &record])).unwrap();
    let place = &document["in_history"];
    let (first, last) = (format!("{}-0", place["keyframe"]), format!("{}-0", place["entry"]));
    let range = |stream: &str| -> Vec<(String, Vec<String>)> {
        shared().run(&["XRANGE", &format!("{prefix}:{stream}:{{{record}}}"), &first, &last])
    };
    let contents = range("contents");
    let mut state = String::new();
    for (id, entry) in range("history") {
        let entry: Value = serde_json::from_str(&entry[1]).unwrap();
        let content = match contents.iter().find(|(other, _)| *other == id) {
            Some((_, content)) => content[1].clone(),
            None => entry["content"].as_str().unwrap().to_owned(),
        };
        if entry["kind"] == "keyframe" {
            state = content;
        } else if entry["kind"] == "change" {
            let mut next = String::new();
            for piece in serde_json::from_str::<Vec<Value>>(&content).unwrap() {
                let number = |nth: usize| usize::try_from(piece[nth].as_u64().unwrap()).unwrap();
                match piece.as_str() {
                    Some(new) => next.push_str(new),
                    None => next.push_str(&state[number(0)..number(0) + number(1)]),
                }
            }
            state = next;
        }
    }
    assert_eq!(Some(state), states()[5]);
}
