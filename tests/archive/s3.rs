//! An archive in an S3-compatible store.

use std::sync::Arc;
use std::time::Duration;

use cogency_state::archive::{Archive, Report, Step};
use cogency_state::{
    DatabaseBackend, Error, Moment, Record, Retention, StateBackend as _, StateManager,
};
use tokio::sync::Notify;

use crate::places::Database;
use crate::s3_server::{S3Server, SECRET};
use crate::{key, save};

const STATES: usize = 12;
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

fn archive(server: &S3Server) -> Archive {
    Archive::new(Arc::new(server.store()), "archives/agents")
}

async fn move_all(archive: &Archive, manager: &StateManager) -> Result<Report, Error> {
    archive.states(manager, Duration::ZERO).per_file(4).run().await
}

/// Each state is where it was, or in the archive, or both.
async fn assert_nothing_lost(backend: &DatabaseBackend, archive: &Archive, records: &[Record]) {
    for record in records {
        let live = backend.load_state(&record.key).await.unwrap();
        let archived = archive.find(&record.key).await.unwrap();
        let found = live.or(archived.map(|archived| archived.record));
        assert_eq!(found.as_ref(), Some(record));
    }
}

/// All are in the archive, once each, and nowhere else.
async fn assert_all_archived_once(
    backend: &DatabaseBackend,
    archive: &Archive,
    records: &[Record],
) {
    assert_eq!(backend.list_states("alice").await.unwrap(), []);
    assert_eq!(archive.verify().await.unwrap().archived, records.len() as u64);
    assert_nothing_lost(backend, archive, records).await;
}

#[tokio::test]
async fn states_and_histories_move_into_a_store_and_come_back() {
    for database in Database::each() {
        let (backend, server) = (database.connect().await, S3Server::start());
        let (manager, archive) = (StateManager::new(backend.clone()), archive(&server));
        let alice = key("alice", "0");
        let first = save(&backend, &alice, "[\"first\"]").await;
        let records = saved(&backend).await;
        let report = archive.history(&manager, Retention::Versions(1)).run().await.unwrap();
        assert_eq!((report.files, report.removed), (1, 1));
        let report = move_all(&archive, &manager).await.unwrap();
        assert_eq!((report.files, report.removed), (3, STATES as u64));
        assert!(server.names("").iter().all(|name| name.starts_with("archives/agents/v1/")));

        let found = archive.load_history(&alice, Moment::Version(1)).await.unwrap();
        assert_eq!(found, Some(first), "{}", database.name);
        assert_eq!(archive.keys("alice").await.unwrap().len(), STATES);
        for record in &records {
            archive.restore(&manager, &record.key).await.unwrap().unwrap();
            let restored = backend.load_state(&record.key).await.unwrap().unwrap();
            assert_eq!(restored.state, record.state);
        }
        archive.verify_history(&manager, &alice).await.unwrap();
    }
}

#[tokio::test]
async fn dropped_at_every_step_a_run_loses_nothing_and_the_next_one_ends_it() {
    let server = S3Server::start();
    for step in 1..=STEPS {
        let database = Database::sqlite();
        let backend = database.connect().await;
        let manager = StateManager::new(backend.clone());
        let archive = Archive::new(Arc::new(server.store()), &format!("step-{step}"));
        let records = saved(&backend).await;
        let (steps, reached) = (std::sync::atomic::AtomicUsize::new(0), Notify::new());
        let run = archive.states(&manager, Duration::ZERO).per_file(4).on_progress(|_| {
            if steps.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1 == step {
                reached.notify_one();
            }
        });
        tokio::select! {
            biased;
            () = reached.notified() => {}
            ended = run.run() => drop(ended.unwrap()),
        }
        assert_nothing_lost(&backend, &archive, &records).await;
        move_all(&archive, &manager).await.unwrap();
        assert_all_archived_once(&backend, &archive, &records).await;
    }
}

/// What was stored is not written over, and is not taken for nothing.
#[tokio::test]
async fn where_the_answer_to_a_write_was_lost_the_next_run_ends_it() {
    for end in [".jsonl.gz", ".manifest.json", ".done"] {
        let database = Database::sqlite();
        let (backend, server) = (database.connect().await, S3Server::start());
        let (manager, archive) = (StateManager::new(backend.clone()), archive(&server));
        let records = saved(&backend).await;
        server.lose_the_answer_of(end);
        let first = move_all(&archive, &manager).await;
        assert_nothing_lost(&backend, &archive, &records).await;
        if let Err(error) = first {
            assert!(error.to_string().contains("its place cannot be used"), "{error}");
            move_all(&archive, &manager).await.unwrap();
        }
        assert_all_archived_once(&backend, &archive, &records).await;
    }
}

#[tokio::test]
async fn no_row_is_removed_for_an_object_that_was_damaged_or_is_gone() {
    for is_gone in [false, true] {
        let database = Database::sqlite();
        let (backend, server) = (database.connect().await, S3Server::start());
        let (manager, archive) = (StateManager::new(backend.clone()), archive(&server));
        let records = saved(&backend).await;
        let harm = |name: &str| if is_gone { server.remove(name) } else { server.damage(name) };
        // Between the write and the look at what was written.
        let run = archive.states(&manager, Duration::ZERO).per_file(4).on_progress(|progress| {
            if progress.step == Step::Written {
                harm(&server.names(".jsonl.gz")[0]);
            }
        });
        let said = run.run().await.unwrap_err().to_string();
        let due = if is_gone { "its place cannot be used" } else { "no row was removed" };
        assert!(said.contains(due), "{said}");
        assert_eq!(backend.list_states("alice").await.unwrap().len(), records.len());
    }
}

#[tokio::test]
async fn what_a_run_left_without_a_manifest_is_removed_a_day_later() {
    let database = Database::sqlite();
    let (backend, server) = (database.connect().await, S3Server::start());
    let (manager, archive) = (StateManager::new(backend.clone()), archive(&server));
    saved(&backend).await;
    let written = Notify::new();
    let run = archive.states(&manager, Duration::ZERO).on_progress(|progress| {
        if progress.step == Step::Written {
            written.notify_one();
        }
    });
    tokio::select! {
        biased;
        () = written.notified() => {}
        ended = run.run() => panic!("{ended:?}"),
    }
    let orphans = server.names(".jsonl.gz");
    assert_eq!((orphans.len(), server.names(".manifest.json").len()), (1, 0));
    server.age(Duration::from_secs(25 * 60 * 60));
    move_all(&archive, &manager).await.unwrap();
    assert_eq!(server.names(".jsonl.gz").iter().filter(|name| orphans.contains(name)).count(), 0);
}

/// Neither in errors nor in what is printed of it.
#[tokio::test]
async fn the_stores_secret_is_not_shown() {
    let server = S3Server::start();
    let archive = Archive::new(Arc::new(server.store()), "");
    assert!(!format!("{archive:?}").contains(SECRET), "{archive:?}");
    let elsewhere = Archive::new(Arc::new(S3Server::default().store()), "");
    let error = elsewhere.verify().await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains(SECRET), "{error:?}");
}
