//! A run that is killed: nothing is lost, and nothing is archived twice.

use std::time::{Duration, Instant};

use cogency_state::{DatabaseBackend, Record, StateBackend as _};
use cogency_state_tests::agent::Agent;

use crate::agents::start;
use crate::places::Database;
use crate::{Place, key, save};

const STATES: usize = 25;
/// Of a whole run: six for each of three files.
const STEPS: usize = 18;

async fn saved(backend: &DatabaseBackend) -> Vec<Record> {
    let mut records = Vec::new();
    for number in 0..STATES {
        let state = format!("{{\"number\":{number}}}");
        records.push(save(backend, &key("alice", &number.to_string()), &state).await);
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    records
}

/// Each state is where it was, or in the archive, or both.
async fn assert_nothing_lost(backend: &DatabaseBackend, place: &Place, records: &[Record]) {
    for record in records {
        let live = backend.load_state(&record.key).await.unwrap();
        let archived = place.archive.find(&record.key).await.unwrap();
        let archived = archived.map(|archived| archived.record);
        let found = live.or(archived).unwrap_or_else(|| panic!("{} is lost", record.key));
        assert_eq!(found, *record);
    }
}

/// All are in the archive, once each, and nowhere else.
async fn assert_all_archived_once(backend: &DatabaseBackend, place: &Place, records: &[Record]) {
    let listed = place.listed();
    assert_eq!(listed.len(), records.len());
    for record in records {
        assert_eq!(backend.load_state(&record.key).await.unwrap(), None);
        assert_eq!(place.archive.find(&record.key).await.unwrap().unwrap().record, *record);
        assert_eq!(listed[&record.revision.write_id.to_string()], 1, "{}", record.key);
    }
    let verified = place.archive.verify().await.unwrap();
    assert_eq!(verified.archived, records.len() as u64);
}

/// Lets a run come to a step.
pub(crate) fn come_to(agent: &mut Agent, step: usize) {
    for number in 1..=step {
        assert!(agent.line().starts_with("step "), "there is no step {number}");
        if number < step {
            agent.go_on();
        }
    }
}

#[tokio::test]
async fn killed_at_every_step_a_run_loses_nothing_and_the_next_one_ends_it() {
    for database in Database::each() {
        for step in 1..=STEPS {
            let database = database.afresh();
            let backend = database.connect().await;
            let (place, records) = (Place::new(), saved(&backend).await);
            let folder = place.path();
            let run = || start("archive", &database.full_url(), &[folder.to_str().unwrap()]);
            let mut killed = run();
            come_to(&mut killed, step);
            killed.kill();
            assert_nothing_lost(&backend, &place, &records).await;
            run().succeed();
            assert_all_archived_once(&backend, &place, &records).await;
        }
    }
}

/// Also in the middle of a step. What it holds is free again after its lease.
#[tokio::test]
async fn killed_at_any_moment_it_loses_nothing_too() {
    let rounds = std::env::var("COGENCY_ARCHIVE_KILLS").map_or(8, |n| n.parse().unwrap());
    for database in Database::each() {
        for _ in 0..rounds {
            let database = database.afresh();
            let backend = database.connect().await;
            let (place, records) = (Place::new(), saved(&backend).await);
            let url = format!("{}&lease_ttl=200ms", database.full_url());
            let folder = place.path();
            let run = || start("archive", &url, &[folder.to_str().unwrap()]);
            for _ in 0..3 {
                let mut killed = run();
                killed.close();
                std::thread::sleep(Duration::from_micros(fastrand::u64(0..40_000)));
                killed.kill();
                assert_nothing_lost(&backend, &place, &records).await;
            }
            let begun = Instant::now();
            while place.files(".done").len() < place.files(".manifest.json").len()
                || place.listed().len() < STATES
            {
                assert!(begun.elapsed() < Duration::from_secs(60), "it does not end");
                run().succeed();
            }
            assert_all_archived_once(&backend, &place, &records).await;
        }
    }
}

#[tokio::test]
async fn a_file_without_a_manifest_counts_for_nothing() {
    let database = Database::sqlite();
    let backend = database.connect().await;
    let (place, records) = (Place::new(), saved(&backend).await);
    let mut killed = start("archive", &database.full_url(), &[place.path().to_str().unwrap()]);
    come_to(&mut killed, 3);
    killed.kill();
    assert_eq!(place.files(".jsonl.gz").len(), 1);
    assert_eq!(place.archive.keys("alice").await.unwrap(), []);
    assert_eq!(backend.list_states("alice").await.unwrap().len(), records.len());
    // A day later it is removed.
    let orphan = &place.files(".jsonl.gz")[0];
    let day = Duration::from_secs(25 * 60 * 60);
    let file = std::fs::File::options().write(true).open(orphan).unwrap();
    file.set_modified(std::time::SystemTime::now() - day).unwrap();
    place.take_all(&backend).await;
    assert!(!orphan.exists());
    assert_eq!(place.files(".jsonl.gz").len(), 3);
}
