//! What only memory does with histories: it keeps little, and forgets with what expires.

use std::fmt::Write as _;
use std::time::Duration;

use cogency_state::{
    Error, Event, HistoryBackend as _, Holder, LeaseAttempt, MemoryBackend, Metadata, Moment,
    Record, Retention, Revision, StateBackend as _, StateKey, StateManager, Write,
};

fn key() -> StateKey {
    StateKey::for_user("alice").unwrap()
}

async fn save(backend: &MemoryBackend, state: String, ttl: Option<Duration>) {
    let attempt = backend.acquire_lease(&key(), &Holder::current()).await.unwrap();
    let LeaseAttempt::Acquired(lease) = attempt else { panic!("{attempt:?}") };
    let expected = backend.load_state(&key()).await.unwrap().map(|record| record.revision);
    let revision = Revision::after(expected);
    let record = Record::new(key(), revision, None, Metadata::now(), state.into());
    let write = Write::new(record, expected).with_ttl(ttl);
    backend.save_and_release(&lease, &write).await.unwrap();
}

async fn delete(backend: &MemoryBackend) {
    let attempt = backend.acquire_lease(&key(), &Holder::current()).await.unwrap();
    let LeaseAttempt::Acquired(lease) = attempt else { panic!("{attempt:?}") };
    assert!(backend.delete_state(&lease).await.unwrap());
    backend.release_lease(&lease).await.unwrap();
}

/// How many entries of states that were saved there are.
async fn versions(backend: &MemoryBackend) -> usize {
    let entries = backend.list_history(&key(), None, usize::MAX).await.unwrap();
    entries.iter().filter(|entry| entry.event == Event::Save).count()
}

#[tokio::test]
async fn at_least_32_versions_stay_and_at_most_a_quarter_more() {
    let backend = MemoryBackend::new();
    for number in 1..=200 {
        save(&backend, number.to_string(), None).await;
        assert!((number.min(32)..=40).contains(&versions(&backend).await), "{number}");
    }
    for version in 169..=200 {
        let found = backend.load_history(&key(), Moment::Version(version)).await.unwrap();
        assert_eq!(found.unwrap().state, version.to_string());
    }
    assert!(backend.verify_history(&key()).await.unwrap().is_current);
}

/// Nobody was told a hash before, and somebody is in between.
#[tokio::test]
async fn a_chain_that_nobody_saw_begins_where_it_was_pruned_and_goes_on_from_there() {
    let backend = MemoryBackend::new().with_history(Retention::Versions(4));
    for number in 0..50 {
        save(&backend, number.to_string(), None).await;
    }
    let seen = backend.verify_history(&key()).await.unwrap();
    for number in 50..100 {
        save(&backend, number.to_string(), None).await;
    }
    let again = backend.verify_history(&key()).await.unwrap();
    assert!(seen.pruned.unwrap().sequence < again.pruned.unwrap().sequence);
    let entries = backend.list_history(&key(), None, 1).await.unwrap();
    assert_eq!(again.hash, Some(entries[0].hash));
}

#[tokio::test]
async fn a_large_state_that_grows_is_kept_as_changes() {
    let backend = MemoryBackend::new().with_history(Retention::All);
    let mut state = String::from("[\"begin\"");
    let mut states = Vec::new();
    for number in 0..400 {
        write!(state, ",\"turn {number} of {}\"", "words ".repeat(160)).unwrap();
        states.push(format!("{state}]"));
        save(&backend, format!("{state}]"), None).await;
    }
    let rows = backend
        .export_history(&key(), cogency_state::HistoryAnchor::NONE, Retention::Versions(1), 1000)
        .await
        .unwrap();
    let bytes: usize = rows.iter().map(|row| serde_json::to_string(row).unwrap().len()).sum();
    assert!(bytes < 3 * state.len(), "{bytes} for {}", state.len());
    for version in (1..=400).step_by(13) {
        let found = backend.load_history(&key(), Moment::Version(version as u64)).await.unwrap();
        assert_eq!(found.unwrap().state, states[version - 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_history_goes_with_a_state_that_expires() {
    const TTL: Duration = Duration::from_secs(60);
    let backend = MemoryBackend::new();
    for number in 0..3 {
        save(&backend, number.to_string(), Some(TTL)).await;
    }
    tokio::time::advance(TTL / 2).await;
    assert_eq!(versions(&backend).await, 3);
    // Also with one that was deleted before its time.
    delete(&backend).await;
    assert_eq!(versions(&backend).await, 3);
    tokio::time::advance(TTL / 2).await;
    assert_eq!(versions(&backend).await, 0);
    assert!(backend.history_keys(None, 9).await.unwrap().is_empty());
    let gone = backend.load_history(&key(), Moment::Version(1)).await;
    assert!(matches!(gone, Err(Error::NoSuchVersion { .. })), "{gone:?}");
    save(&backend, "7".to_owned(), None).await;
    assert_eq!(backend.list_history(&key(), None, 9).await.unwrap()[0].sequence, 1);
    tokio::time::advance(TTL).await;
    assert_eq!(versions(&backend).await, 1);
}

#[tokio::test]
async fn where_none_is_kept_that_is_said() {
    let backend = MemoryBackend::new().without_history();
    assert!(!backend.capabilities().history && backend.history().is_none());
    let none = StateManager::new(backend).history(&key()).list(None, 1).await.unwrap_err();
    assert!(none.to_string().contains("no history is kept in memory:"), "{none}");
}

/// Also where it is kept as changes.
#[tokio::test]
async fn what_was_saved_without_a_history_is_seen_and_gone_on_from() {
    for length in [10, 10_000] {
        let backend = MemoryBackend::new();
        let text = |number: u64| format!("\"{}\"", number.to_string().repeat(length));
        let state = |last| format!("[{}]", (1..=last).map(text).collect::<Vec<_>>().join(","));
        save(&backend, state(1), None).await;
        save(&backend.clone().without_history(), state(2), None).await;
        assert!(!backend.verify_history(&key()).await.unwrap().is_current);
        save(&backend, state(3), None).await;
        assert!(backend.verify_history(&key()).await.unwrap().is_current);
        assert_eq!(versions(&backend).await, 2);
        let found = backend.load_history(&key(), Moment::Version(3)).await.unwrap();
        assert_eq!(found.unwrap().state, state(3));
    }
}
