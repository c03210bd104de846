//! What is archived comes back as it was, and anything can read it.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use cogency_state::{Error, StateBackend as _, StateManager};

use crate::places::Database;
use crate::{Place, key, save, save_for};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn every_state_comes_back_byte_for_byte_as_a_new_version() {
    let long = format!("\"{}\"", "é😀x".repeat(200_000));
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let states = [
        "null",
        "{\"a\":\"x\\u0000y\\n\"}",
        "{\n  \"pretty\": [1,\r\n 2]\n}",
        " 7 ",
        "[18446744073709551615,-9223372036854775808,5e-324,1e999,1.0]",
        "{\"a\":1,\"a\":2}",
        &long,
        &deep,
    ];
    for database in Database::each() {
        let (backend, place) = (database.connect().await, Place::new());
        let manager = StateManager::new(backend.clone());
        let mut saved = Vec::new();
        for (number, state) in states.iter().enumerate() {
            saved.push(save(&backend, &key("al/ice\n", &number.to_string()), state).await);
        }
        let report = place.take_all(&backend).await;
        assert_eq!((report.removed, report.unreadable), (states.len() as u64, 0));
        for record in saved {
            let revision = place.archive.restore(&manager, &record.key).await.unwrap().unwrap();
            let restored = backend.load_state(&record.key).await.unwrap().unwrap();
            assert_eq!(restored.state, record.state, "{}", database.name);
            assert_eq!(restored.metadata, record.metadata);
            assert_eq!(restored.state_type, record.state_type);
            assert_eq!(restored.revision, revision);
            assert_eq!(revision.version, record.revision.version + 1);
        }
    }
}

#[tokio::test]
async fn a_restore_replaces_no_state() {
    let database = Database::postgres();
    let (backend, place) = (database.connect().await, Place::new());
    let alice = key("alice", "1");
    save(&backend, &alice, "\"old\"").await;
    place.take_all(&backend).await;
    save(&backend, &alice, "\"new\"").await;
    let manager = StateManager::new(backend.clone());
    let refused = place.archive.restore(&manager, &alice).await;
    assert!(matches!(refused, Err(Error::Conflict { found: 1, .. })), "{refused:?}");
    assert_eq!(&*backend.load_state(&alice).await.unwrap().unwrap().state, b"\"new\"");
    assert_eq!(place.archive.restore(&manager, &key("bob", "1")).await.unwrap(), None);
}

#[tokio::test]
async fn what_expires_comes_back_for_the_time_that_is_left() {
    let [sqlite, postgres, mariadb] = Database::each().map(comes_back_for_the_time_that_is_left);
    tokio::join!(sqlite, postgres, mariadb);
}

async fn comes_back_for_the_time_that_is_left(database: Database) {
    // It must not be over before it is archived, however long a disk takes.
    const SOON: Duration = Duration::from_secs(10);
    let (backend, place) = (database.connect().await, Place::new());
    let manager = StateManager::new(backend.clone());
    save_for(&backend, &key("alice", "day"), "1", Some(DAY)).await;
    save_for(&backend, &key("alice", "soon"), "2", Some(SOON)).await;
    assert_eq!(place.take_all(&backend).await.removed, 2, "{}", database.name);
    tokio::time::sleep(SOON).await;
    let gone = place.archive.restore(&manager, &key("alice", "soon")).await.unwrap();
    assert_eq!(gone, None, "{}", database.name);
    place.archive.restore(&manager, &key("alice", "day")).await.unwrap().unwrap();
    let found = manager.query().rows().all().await.unwrap();
    let left = found[0].expires_at.unwrap().duration_since(found[0].saved_at).unwrap();
    assert!(left < DAY && left > DAY / 2, "{left:?}");
}

/// Without a line of ours.
#[tokio::test]
async fn gzip_and_any_reader_of_json_read_an_archive() {
    let database = Database::sqlite();
    let (backend, place) = (database.connect().await, Place::new());
    save(&backend, &key("alice", "1"), "{\"turns\":[\"hello\"]}").await;
    place.take_all(&backend).await;
    let file = &place.files(".jsonl.gz")[0];
    let output = Command::new("gzip").arg("-dc").arg(file).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["format"], "cogency-archive");
    assert_eq!(lines[0]["entries"], 1);
    assert_eq!(lines[1]["user_id"], "alice");
    assert_eq!(lines[1]["state"]["turns"][0], "hello");
    assert_eq!(lines[1]["metadata"]["tenant"], "blue");
    let output = Command::new("sha256sum").arg(file).output().unwrap();
    let sum = String::from_utf8(output.stdout).unwrap();
    let manifest = std::fs::read_to_string(&place.files(".manifest.json")[0]).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert!(sum.starts_with(manifest["sha256"].as_str().unwrap()), "{sum}");
}

#[tokio::test]
async fn nobody_else_can_read_an_archive() {
    let place = Place::new();
    let mode = place.path().join("v1").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
