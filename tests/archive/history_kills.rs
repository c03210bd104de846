//! A run over histories that is killed: nothing is lost, and nothing is archived twice.

use std::collections::BTreeSet;
use std::time::Duration;

use cogency_state::{DatabaseBackend, HistoryBackend as _, Moment, Record, StateKey, StateManager};

use crate::agents::start;
use crate::kills::come_to;
use crate::places::Database;
use crate::{Place, key, save};

const USERS: [&str; 3] = ["alice", "bob", "carol"];
const VERSIONS: u64 = 8;
/// Of a whole run: six for each of three files.
const STEPS: usize = 18;

/// Nothing in these is alike: each is a keyframe.
async fn saved(backend: &DatabaseBackend) -> Vec<Record> {
    let mut records = Vec::new();
    for user in USERS {
        for number in 0..VERSIONS {
            let state = format!("{{\"{user}\":{number}}}");
            records.push(save(backend, &key(user, "1"), &state).await);
        }
    }
    records
}

/// Each version is where it was, or in the archive, or both.
async fn assert_nothing_lost(backend: &DatabaseBackend, place: &Place, records: &[Record]) {
    for record in records {
        let moment = Moment::Version(record.revision.version);
        let live = backend.load_history(&record.key, moment).await;
        let archived = place.archive.load_history(&record.key, moment).await;
        let found = live.or(archived).unwrap_or_else(|lost| panic!("{lost}"));
        assert_eq!(found.as_ref(), Some(record));
    }
}

/// The chain of a key, across the border.
async fn verify(backend: &DatabaseBackend, place: &Place, key: &StateKey) {
    let manager = StateManager::new(backend.clone());
    let verified = place.archive.verify_history(&manager, key).await.unwrap();
    assert!(verified.is_current && verified.pruned.is_none(), "{verified:?}");
    assert!(verified.entries > VERSIONS, "{verified:?}");
}

/// All but the newest version of each are in the archive, once each, and nowhere else.
async fn assert_all_archived_once(backend: &DatabaseBackend, place: &Place, records: &[Record]) {
    let mut seen = BTreeSet::new();
    for manifest in place.files(".manifest.json") {
        let manifest = std::fs::read_to_string(manifest).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        for entry in manifest["entries"].as_array().unwrap() {
            let entry = (entry["user_id"].to_string(), entry["sequence"].as_u64().unwrap());
            assert!(seen.insert(entry.clone()), "{entry:?} is there twice");
        }
    }
    assert_eq!(seen.len() as u64, USERS.len() as u64 * (VERSIONS - 1));
    for user in USERS {
        let key = key(user, "1");
        let oldest = backend.list_history(&key, None, 100).await.unwrap().pop().unwrap();
        assert_eq!(oldest.sequence, VERSIONS, "{user}");
        verify(backend, place, &key).await;
    }
    assert_nothing_lost(backend, place, records).await;
    place.archive.verify().await.unwrap();
    assert_eq!(place.files(".done").len(), place.files(".manifest.json").len());
}

#[tokio::test]
async fn killed_at_every_step_a_run_over_histories_loses_nothing_and_the_next_one_ends_it() {
    for database in Database::each() {
        for step in 1..=STEPS {
            let database = database.afresh();
            let backend = database.connect().await;
            let (place, records) = (Place::new(), saved(&backend).await);
            let folder = place.path();
            let run =
                || start("archive-history", &database.full_url(), &[folder.to_str().unwrap()]);
            let mut killed = run();
            come_to(&mut killed, step);
            killed.kill();
            assert_nothing_lost(&backend, &place, &records).await;
            run().succeed();
            assert_all_archived_once(&backend, &place, &records).await;
        }
    }
}

#[tokio::test]
async fn killed_at_any_moment_a_run_over_histories_loses_nothing_too() {
    let rounds = std::env::var("COGENCY_ARCHIVE_KILLS").map_or(8, |n| n.parse().unwrap());
    for database in Database::each() {
        for _ in 0..rounds {
            let database = database.afresh();
            let backend = database.connect().await;
            let (place, records) = (Place::new(), saved(&backend).await);
            let folder = place.path();
            let run =
                || start("archive-history", &database.full_url(), &[folder.to_str().unwrap()]);
            for _ in 0..3 {
                let mut killed = run();
                killed.close();
                std::thread::sleep(Duration::from_micros(fastrand::u64(0..40_000)));
                killed.kill();
                assert_nothing_lost(&backend, &place, &records).await;
            }
            run().succeed();
            assert_all_archived_once(&backend, &place, &records).await;
        }
    }
}
