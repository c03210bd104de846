//! What happens to states while they are archived.

use std::time::Duration;

use async_trait::async_trait;
use cogency_state::archive::Step;
use cogency_state::query::{Page, Search, user};
use cogency_state::{
    Capabilities, DatabaseBackend, Error, Holder, Lease, LeaseAttempt, MemoryBackend, Record,
    StateBackend, StateKey, StateManager, Write,
};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::places::Database;
use crate::{Place, key, save};

const UNTOUCHED: Duration = Duration::ZERO;

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_saved_meanwhile_stays() {
    for database in Database::each() {
        let (backend, place) = (database.connect().await, Place::new());
        for user in ["alice", "bob"] {
            save(&backend, &key(user, "1"), "\"first\"").await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        let manager = StateManager::new(backend.clone());
        let run = place.archive.states(&manager, UNTOUCHED).on_progress(|progress| {
            if progress.step == Step::Sealed {
                let alice = key("alice", "1");
                let saved = save(&backend, &alice, "\"second\"");
                block_in_place(|| Handle::current().block_on(saved));
            }
        });
        let report = run.run().await.unwrap();
        assert_eq!((report.archived, report.removed, report.kept), (2, 1, 1));
        let live = backend.load_state(&key("alice", "1")).await.unwrap().unwrap();
        assert_eq!(&*live.state, b"\"second\"", "{}", database.name);
        assert_eq!(backend.load_state(&key("bob", "1")).await.unwrap(), None);
        // The next run takes the second one, and that is the last.
        place.take_all(&backend).await;
        let last = place.archive.find(&key("alice", "1")).await.unwrap().unwrap();
        assert_eq!(&*last.record.state, b"\"second\"");
    }
}

#[tokio::test]
async fn a_state_that_somebody_is_at_work_on_stays_until_the_next_run() {
    for database in Database::each() {
        let (backend, place) = (database.connect().await, Place::new());
        let alice = key("alice", "1");
        save(&backend, &alice, "1").await;
        let attempt = backend.acquire_lease(&alice, &Holder::current()).await.unwrap();
        let LeaseAttempt::Acquired(lease) = attempt else { panic!("{attempt:?}") };
        let report = place.take_all(&backend).await;
        assert_eq!((report.archived, report.removed, report.kept), (1, 0, 1));
        assert!(backend.load_state(&alice).await.unwrap().is_some());
        // It ends what was begun as far as it can, and archives nothing again.
        let report = place.take_all(&backend).await;
        assert_eq!((report.archived, report.removed, report.kept), (0, 0, 1));
        backend.release_lease(&lease).await.unwrap();
        let report = place.take_all(&backend).await;
        assert_eq!((report.archived, report.removed, report.kept), (0, 1, 0), "{}", database.name);
        assert_eq!(place.listed().len(), 1);
        assert!(backend.load_state(&alice).await.unwrap().is_none());
    }
}

/// A database under whose archive somebody takes the lease of a state just before that is removed.
#[derive(Debug)]
struct Slow(DatabaseBackend);

#[async_trait]
impl StateBackend for Slow {
    fn location(&self) -> &str {
        self.0.location()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn acquire_lease(&self, key: &StateKey, holder: &Holder) -> Result<LeaseAttempt, Error> {
        self.0.acquire_lease(key, holder).await
    }

    async fn renew_lease(&self, lease: &Lease) -> Result<(), Error> {
        self.0.renew_lease(lease).await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), Error> {
        self.0.release_lease(lease).await
    }

    async fn load_state(&self, key: &StateKey) -> Result<Option<Record>, Error> {
        self.0.load_state(key).await
    }

    async fn save_state(&self, lease: &Lease, write: &Write) -> Result<(), Error> {
        self.0.save_state(lease, write).await
    }

    async fn delete_state(&self, lease: &Lease) -> Result<bool, Error> {
        while let LeaseAttempt::Held(_) =
            self.0.acquire_lease(lease.key(), &Holder::current()).await?
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.0.delete_state(lease).await
    }

    async fn list_states(&self, user_id: &str) -> Result<Vec<StateKey>, Error> {
        self.0.list_states(user_id).await
    }

    async fn find_states(&self, search: &Search) -> Result<Page, Error> {
        self.0.find_states(search).await
    }
}

#[tokio::test]
async fn a_state_whose_lease_is_lost_meanwhile_stays_and_ends_no_run() {
    let database = Database::sqlite();
    let builder = database.builder().lease_ttl(Duration::from_millis(100));
    let (backend, place) = (builder.connect().await.unwrap(), Place::new());
    let keys = ["alice", "bob"].map(|user| key(user, "1"));
    for key in &keys {
        save(&backend, key, "1").await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    let slow = StateManager::new(Slow(backend.clone()));
    let report = place.archive.states(&slow, UNTOUCHED).run().await.unwrap();
    assert_eq!((report.archived, report.removed, report.kept), (2, 0, 2));
    for key in &keys {
        assert!(backend.load_state(key).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn only_what_is_meant_and_untouched_is_archived() {
    let database = Database::sqlite();
    let (backend, place) = (database.connect().await, Place::new());
    for user in ["alice", "bob"] {
        save(&backend, &key(user, "1"), "1").await;
    }
    let manager = StateManager::new(backend.clone());
    let day = Duration::from_secs(24 * 60 * 60);
    assert_eq!(place.archive.states(&manager, day).run().await.unwrap().archived, 0);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let run = place.archive.states(&manager, UNTOUCHED).only(user().eq("bob"));
    assert_eq!(run.run().await.unwrap().archived, 1);
    assert_eq!(place.archive.keys("bob").await.unwrap(), [key("bob", "1")]);
    assert_eq!(place.archive.keys("alice").await.unwrap(), []);
    assert!(backend.load_state(&key("alice", "1")).await.unwrap().is_some());
}

#[tokio::test]
async fn what_was_restored_is_not_removed_by_the_end_of_an_earlier_run() {
    let database = Database::sqlite();
    let (backend, place) = (database.connect().await, Place::new());
    let alice = key("alice", "1");
    save(&backend, &alice, "1").await;
    place.take_all(&backend).await;
    // As if the run had been killed before it noted its end.
    std::fs::remove_file(&place.files(".done")[0]).unwrap();
    let manager = StateManager::new(backend.clone());
    place.archive.restore(&manager, &alice).await.unwrap().unwrap();
    let day = Duration::from_secs(24 * 60 * 60);
    let report = place.archive.states(&manager, day).run().await.unwrap();
    assert_eq!((report.removed, report.kept), (0, 1));
    assert!(backend.load_state(&alice).await.unwrap().is_some());
}

#[tokio::test]
async fn a_backend_without_queries_says_so() {
    let (manager, place) = (StateManager::new(MemoryBackend::new()), Place::new());
    let error = place.archive.states(&manager, UNTOUCHED).run().await.unwrap_err();
    assert!(matches!(error, Error::Config { .. }), "{error}");
}
