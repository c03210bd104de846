//! What is old of histories leaves a database for files; both fit together.

use std::path::Path;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use cogency_state::archive::{Report, Step};
use cogency_state::{
    DatabaseBackend, Error, HistoryAnchor, HistoryBackend, HistoryEntry, Holder, MemoryBackend,
    Moment, Opened, Record, Retention, StateBackend as _, StateKey, StateManager, Verified,
};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::agents::start;
use crate::kills::come_to;
use crate::places::Database;
use crate::{Place, key, save};

async fn take(place: &Place, backend: &DatabaseBackend, stays: Retention) -> Report {
    let manager = StateManager::new(backend.clone());
    place.archive.history(&manager, stays).per_file(5).run().await.unwrap()
}

async fn verify(
    place: &Place,
    backend: &DatabaseBackend,
    key: &StateKey,
) -> Result<Verified, Error> {
    place.archive.verify_history(&StateManager::new(backend.clone()), key).await
}

async fn delete(backend: &DatabaseBackend, key: &StateKey) {
    let opened = backend.acquire_and_load(key, &Holder::current()).await.unwrap();
    let Opened::Acquired { lease, .. } = opened else { panic!("{opened:?}") };
    assert!(backend.delete_state(&lease).await.unwrap());
    backend.release_lease(&lease).await.unwrap();
}

/// A conversation that grows, begins anew, is deleted, and goes on: what each entry left.
async fn converse(backend: &DatabaseBackend, key: &StateKey) -> Vec<Option<Record>> {
    let manager = StateManager::new(backend.clone());
    let mut left = Vec::new();
    for turn in 0..60 {
        if turn == 25 {
            delete(backend, key).await;
            left.push(None);
        }
        let mut call = manager.begin::<Vec<String>>(key).await.unwrap();
        if turn % 10 == 0 {
            call.state.clear();
        }
        call.state.push(format!(
            "turn {turn}: gr\u{fc}\u{df} dich\n\u{0}, \u{65e5}\u{672c} {}",
            "x".repeat(90)
        ));
        call.commit().await.unwrap();
        left.push(backend.load_state(key).await.unwrap());
    }
    left
}

#[tokio::test]
async fn every_version_comes_back_from_the_archive_or_the_database_and_the_chain_holds() {
    for database in Database::each() {
        let (backend, place) = (database.connect().await, Place::new());
        let key = key("al/ice\n", "1");
        let left = converse(&backend, &key).await;
        let changes = "SELECT COUNT(*) FROM {p}history WHERE kind = 'change'";
        assert!(database.number(changes) > 20, "{}", database.name);
        let report = take(&place, &backend, Retention::Versions(20)).await;
        assert!(report.archived >= 30 && report.files > 1, "{report:?}");
        assert_eq!((report.archived, report.kept), (report.removed, 0));
        let listed = place.archive.list_history(&key).await.unwrap();
        assert_eq!(listed.len() as u64, report.archived);
        for (number, record) in left.iter().enumerate() {
            let sequence = number as u64 + 1;
            let is_archived = sequence <= report.archived;
            let moment = Moment::Entry(sequence);
            let archived = place.archive.load_history(&key, moment).await;
            let live = backend.load_history(&key, moment).await;
            assert_eq!((archived.is_ok(), live.is_ok()), (is_archived, !is_archived), "{sequence}");
            let found = archived.or(live).unwrap();
            assert_eq!(found, *record, "{}, {sequence}", database.name);
            if is_archived {
                let entry = listed.iter().find(|entry| entry.sequence == sequence).unwrap();
                let then = place.archive.load_history(&key, entry.at).await.unwrap();
                assert_eq!(then, *record);
            }
        }
        let verified = verify(&place, &backend, &key).await.unwrap();
        assert!(verified.entries > left.len() as u64 && verified.is_current);
        // It goes on, and so does the archive.
        converse(&backend, &key).await;
        take(&place, &backend, Retention::Versions(1)).await;
        let verified = verify(&place, &backend, &key).await.unwrap();
        assert!(verified.entries > 2 * left.len() as u64 && verified.pruned.is_none());
        assert_eq!(take(&place, &backend, Retention::Versions(1)).await.archived, 0);
    }
}

#[tokio::test]
async fn only_what_is_old_enough_and_meant_is_taken() {
    for database in Database::each() {
        let (backend, place) = (database.connect().await, Place::new());
        for user in ["alice", "bob"] {
            for number in 0..5 {
                save(&backend, &key(user, "1"), &number.to_string()).await;
            }
        }
        delete(&backend, &key("bob", "1")).await;
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(take(&place, &backend, Retention::Age(day)).await.archived, 0);
        assert_eq!(take(&place, &backend, Retention::All).await.archived, 0);
        let manager = StateManager::new(backend.clone());
        let run = place.archive.history(&manager, Retention::Age(Duration::ZERO));
        // Of bob, who is gone, the entry of that stays.
        let report = run.only(|key| key.user_id() == "bob").run().await.unwrap();
        assert_eq!((report.archived, report.removed), (5, 5), "{}", database.name);
        assert_eq!(place.archive.list_history(&key("alice", "1")).await.unwrap(), []);
        let none = place.archive.load_history(&key("alice", "1"), SystemTime::now()).await;
        assert!(matches!(none, Err(Error::NoSuchVersion { .. })), "{none:?}");
        assert!(place.archive.find(&key("bob", "1")).await.unwrap().is_none());
        assert_eq!(place.archive.keys("bob").await.unwrap(), [key("bob", "1")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_saved_and_a_history_that_is_pruned_meanwhile_lose_nothing() {
    for database in Database::each() {
        let (backend, place) = (database.connect().await, Place::new());
        let alice = key("alice", "1");
        for number in 0..9 {
            save(&backend, &alice, &number.to_string()).await;
        }
        let manager = StateManager::new(backend.clone());
        let run = place.archive.history(&manager, Retention::Versions(2)).per_file(3);
        let run = run.on_progress(|progress| {
            if progress.step == Step::Sealed {
                let meanwhile = async {
                    save(&backend, &alice, "\"meanwhile\"").await;
                    backend.prune_history(&alice, Retention::Versions(8)).await.unwrap();
                };
                block_in_place(|| Handle::current().block_on(meanwhile));
            }
        });
        run.run().await.unwrap();
        verify(&place, &backend, &alice).await.unwrap();
    }
}

#[tokio::test]
async fn a_history_that_was_edited_stays_where_it_is() {
    for database in Database::each() {
        let (backend, place) = (database.connect().await, Place::new());
        for user in ["alice", "bob"] {
            for number in 0..4 {
                save(&backend, &key(user, "1"), &number.to_string()).await;
            }
        }
        let rows = "SELECT COUNT(*) FROM {p}history";
        database.run("UPDATE {p}history SET host = 'another' WHERE user_id = 'alice' AND seq = 2");
        let report = take(&place, &backend, Retention::Versions(1)).await;
        assert_eq!((report.archived, report.removed, report.unreadable), (3, 3, 1));
        assert_eq!(database.number(&format!("{rows} WHERE user_id = 'alice'")), 4);
    }
}

fn flip(path: &Path, byte: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[byte] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// A database whose run was killed behind the manifest, before anything was removed.
async fn sealed(database: &Database) -> (DatabaseBackend, Place) {
    let (backend, place) = (database.connect().await, Place::new());
    for number in 0..4 {
        save(&backend, &key("alice", "1"), &number.to_string()).await;
    }
    let folder = place.path();
    let mut run = start("archive-history", &database.full_url(), &[folder.to_str().unwrap()]);
    come_to(&mut run, 4);
    run.kill();
    assert_eq!((place.files(".manifest.json").len(), place.files(".done").len()), (1, 0));
    (backend, place)
}

#[tokio::test]
async fn no_entry_is_removed_for_a_file_that_was_damaged_since() {
    for database in Database::each() {
        let (backend, place) = sealed(&database).await;
        let manager = StateManager::new(backend.clone());
        // What is in both places is no contradiction.
        verify(&place, &backend, &key("alice", "1")).await.unwrap();
        flip(&place.files(".jsonl.gz")[0], 60);
        let run = place.archive.history(&manager, Retention::Versions(1)).run().await;
        let said = run.unwrap_err().to_string();
        assert!(said.contains("damaged") && said.contains("no row was removed"), "{said}");
        assert_eq!(database.number("SELECT COUNT(*) FROM {p}history"), 4, "{}", database.name);
        flip(&place.files(".jsonl.gz")[0], 60);
        assert_eq!(take(&place, &backend, Retention::Versions(1)).await.removed, 3);
        verify(&place, &backend, &key("alice", "1")).await.unwrap();
    }
}

/// The same key of another database.
#[tokio::test]
async fn entries_that_are_not_those_that_were_archived_are_not_removed() {
    for database in Database::each() {
        let (_, place) = sealed(&database).await;
        let elsewhere = database.afresh();
        let other = elsewhere.connect().await;
        for number in 0..4 {
            save(&other, &key("alice", "1"), &number.to_string()).await;
        }
        let report = take(&place, &other, Retention::All).await;
        assert_eq!((report.removed, report.kept), (0, 3), "{}", database.name);
        assert_eq!(other.list_history(&key("alice", "1"), None, 9).await.unwrap().len(), 4);
        let foreign = verify(&place, &other, &key("alice", "1")).await;
        assert!(matches!(foreign, Err(Error::HistoryBroken { sequence: 4, .. })), "{foreign:?}");
    }
}

#[tokio::test]
async fn what_is_missing_at_the_border_or_in_the_archive_is_told() {
    for database in Database::each() {
        let (backend, place) = (database.connect().await, Place::new());
        let alice = key("alice", "1");
        for number in 0..12 {
            save(&backend, &alice, &number.to_string()).await;
        }
        take(&place, &backend, Retention::Versions(2)).await;
        verify(&place, &backend, &alice).await.unwrap();
        // A part of the archive is away.
        let parts = place.files(".manifest.json");
        assert!(parts.len() > 1);
        let kept = std::fs::read(&parts[0]).unwrap();
        let middle = std::fs::read(&parts[1]).unwrap();
        std::fs::remove_file(&parts[1]).unwrap();
        assert!(matches!(verify(&place, &backend, &alice).await, Err(Error::HistoryBroken { .. })));
        std::fs::write(&parts[1], middle).unwrap();
        // One from the beginning is what an archive that began later lacks too: it says where.
        std::fs::remove_file(&parts[0]).unwrap();
        let later = verify(&place, &backend, &alice).await.unwrap();
        assert_eq!(later.pruned.unwrap().sequence, 5);
        std::fs::write(&parts[0], kept).unwrap();
        // Somebody pruned the database without the archive.
        save(&backend, &alice, "\"more\"").await;
        backend.prune_history(&alice, Retention::Versions(1)).await.unwrap();
        let gap = verify(&place, &backend, &alice).await;
        assert!(matches!(gap, Err(Error::HistoryBroken { sequence: 11, .. })), "{gap:?}");
    }
}

#[tokio::test]
async fn nothing_is_pruned_where_what_follows_needs_it() {
    for database in Database::each() {
        let backend = database.connect().await;
        let key = key("alice", "1");
        converse(&backend, &key).await;
        let mut pruned = 0;
        for entry in backend.list_history(&key, None, 100).await.unwrap().iter().rev() {
            let place = HistoryAnchor { sequence: entry.sequence, hash: entry.hash };
            pruned += u64::from(backend.prune_history_through(&key, place).await.unwrap());
            backend.verify_history(&key).await.unwrap();
        }
        assert!((3..30).contains(&pruned), "{pruned}");
    }
}

#[tokio::test]
async fn a_backend_without_a_history_says_so() {
    let (manager, place) =
        (StateManager::new(MemoryBackend::new().without_history()), Place::new());
    let error = place.archive.history(&manager, Retention::Versions(1)).run().await.unwrap_err();
    assert!(matches!(error, Error::NoHistory { .. }), "{error}");
}

/// A history of somebody's own that knows no archives.
struct Plain;

#[async_trait]
impl HistoryBackend for Plain {
    async fn list_history(
        &self,
        _: &StateKey,
        _: Option<u64>,
        _: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        Ok(Vec::new())
    }

    async fn load_history(&self, _: &StateKey, _: Moment) -> Result<Option<Record>, Error> {
        Ok(None)
    }

    async fn verify_history(&self, _: &StateKey) -> Result<Verified, Error> {
        Ok(Verified::new(0, None, true))
    }

    async fn prune_history(&self, _: &StateKey, _: Retention) -> Result<u64, Error> {
        Ok(0)
    }
}

#[tokio::test]
async fn a_history_that_is_not_handed_over_says_so() {
    let (key, none) = (key("alice", "1"), HistoryAnchor::NONE);
    let exported = Plain.export_history(&key, none, Retention::All, 1).await.map(drop);
    let keys = Plain.history_keys(None, 1).await.map(drop);
    let pruned = Plain.prune_history_through(&key, none).await.map(drop);
    for refused in [exported, keys, pruned] {
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("does not hand it over to an archive"), "{said}");
    }
}
