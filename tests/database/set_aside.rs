//! What leaves its key and what comes back, as the history tells it.

use std::sync::Arc;

use cogency_state::{
    Aside, AsideReason, DatabaseBackend, Event, HistoryBackend as _, Moment, OnUnreadable,
    Retention, StateBackend as _, StateKey, StateManagerBuilder,
};

use crate::places::Database;
use crate::{key, lease, save, write};

const GPT: &str = "openai/gpt-5";
const CLAUDE: &str = "anthropic/claude-sonnet-4-5";

/// What happened, the oldest first, once it verifies.
async fn told(backend: &DatabaseBackend, key: &StateKey) -> Vec<Event> {
    let verified = backend.verify_history(key).await.unwrap();
    assert!(verified.is_current, "{verified:?}");
    let entries = backend.list_history(key, None, 100).await.unwrap();
    entries.into_iter().rev().map(|entry| entry.event).collect()
}

/// One call with this LLM.
async fn say(backend: &Arc<DatabaseBackend>, llm: &'static str, words: &str) -> Vec<String> {
    let manager = StateManagerBuilder::over(Arc::clone(backend) as _).llm(llm).build();
    let mut call = manager.begin::<Vec<String>>(&key("alice")).await.unwrap();
    call.state.push(words.to_owned());
    let said = call.state.clone();
    call.commit().await.unwrap();
    said
}

#[tokio::test]
async fn a_reset_is_told_as_such_and_so_is_the_old_state_that_left_and_came_back() {
    use Event::{Quarantine, Reset, Restore, Save};
    for database in Database::each() {
        let (backend, alice) = (Arc::new(database.connect().await), key("alice"));
        say(&backend, GPT, "one").await;
        assert_eq!(say(&backend, CLAUDE, "un").await, ["un"]);
        assert_eq!(told(&backend, &alice).await, [Save, Quarantine, Reset], "{}", database.name);
        assert_eq!(say(&backend, GPT, "two").await, ["one", "two"]);
        say(&backend, GPT, "three").await;
        let due = [Save, Quarantine, Reset, Quarantine, Restore, Save];
        assert_eq!(told(&backend, &alice).await, due, "{}", database.name);
        // What happened to each is still there.
        let found = backend.load_history(&alice, Moment::Version(1)).await.unwrap().unwrap();
        assert_eq!(&*found.state, b"[\"one\"]");
        assert_eq!(found.metadata.llm_model, "gpt-5");
    }
}

#[tokio::test]
async fn a_quarantine_and_a_restore_are_entries_although_the_state_cannot_be_read() {
    use Event::{Quarantine, Restore, Save};
    for database in Database::each() {
        let (backend, alice) = (Arc::new(database.connect().await), key("alice"));
        let builder = StateManagerBuilder::over(Arc::clone(&backend) as _);
        let manager = builder.on_unreadable(OnUnreadable::Quarantine).build();
        manager.save_state(&alice, "old".to_owned(), None).await.unwrap();
        database.run("UPDATE {p}states SET checksum = '0123456789abcdef'");
        let mut call = manager.begin::<String>(&alice).await.unwrap();
        "new".clone_into(&mut call.state);
        let revision = call.commit().await.unwrap().revision();
        assert_eq!(told(&backend, &alice).await, [Save, Quarantine, Save], "{}", database.name);

        let aside = manager.quarantined().await.unwrap().remove(0);
        let because = format!(
            "SELECT COUNT(*) FROM {{p}}history WHERE event = 'quarantine' AND write_id = '{}' \
             AND metadata LIKE '%\"corrupt\"%'",
            aside.id
        );
        assert_eq!(database.number(&because), 1, "{}", database.name);
        assert!(manager.restore_aside_over(&aside, revision).await.unwrap());
        let due = [Save, Quarantine, Save, Quarantine, Restore];
        assert_eq!(told(&backend, &alice).await, due, "{}", database.name);
        // As it was: also as damaged as it was.
        assert!(manager.load_state::<String>(&alice).await.is_err());
        database.run("UPDATE {p}states SET checksum = NULL");
        assert_eq!(manager.load_state::<String>(&alice).await.unwrap().unwrap().state, "old");
        let mut call = manager.begin::<String>(&alice).await.unwrap();
        "newer".clone_into(&mut call.state);
        call.commit().await.unwrap();
        assert_eq!(told(&backend, &alice).await.last(), Some(&Save));
    }
}

#[tokio::test]
async fn moves_that_are_repeated_have_one_entry_each() {
    use Event::{Quarantine, Restore, Save};
    for database in Database::each() {
        let (backend, alice) = (database.connect().await, key("alice"));
        save(&backend, &alice, "\"old\"").await;
        let lease = lease(&backend, &alice).await;
        let aside = Aside::new(alice.clone(), AsideReason::Corrupt);
        for _ in 0..2 {
            assert!(backend.set_aside(&lease, &aside).await.unwrap());
        }
        let other = Aside::new(alice.clone(), AsideReason::Corrupt);
        assert!(!backend.set_aside(&lease, &other).await.unwrap(), "there is nothing any more");
        assert!(backend.restore_aside(&lease, aside.id).await.unwrap());
        assert!(!backend.restore_aside(&lease, aside.id).await.unwrap());
        assert_eq!(told(&backend, &alice).await, [Save, Quarantine, Restore], "{}", database.name);
        // A save under the same lease goes on from there.
        let found = backend.load_state(&alice).await.unwrap().unwrap();
        let next = write(&alice, Some(found.revision), "\"new\"").with_replaced(Some(found.state));
        backend.save_and_release(&lease, &next).await.unwrap();
        let due = [Save, Quarantine, Restore, Save];
        assert_eq!(told(&backend, &alice).await, due, "{}", database.name);
    }
}

#[tokio::test]
async fn a_history_that_goes_on_under_a_lease_does_not_keep_a_state_from_moving() {
    for database in Database::each() {
        let (backend, alice) = (database.connect().await, key("alice"));
        for text in ["1", "2", "3"] {
            save(&backend, &alice, text).await;
        }
        let lease = lease(&backend, &alice).await;
        backend.prune_history(&alice, Retention::Versions(2)).await.unwrap();
        let aside = Aside::new(alice.clone(), AsideReason::Corrupt);
        assert!(backend.set_aside(&lease, &aside).await.unwrap(), "{}", database.name);
        backend.prune_history(&alice, Retention::Versions(1)).await.unwrap();
        assert!(backend.restore_aside(&lease, aside.id).await.unwrap(), "{}", database.name);
        assert_eq!(told(&backend, &alice).await.last(), Some(&Event::Restore));
    }
}

#[tokio::test]
async fn without_a_history_states_move_and_leave_no_entry() {
    for database in Database::each() {
        let backend = database.builder().without_history().connect().await.unwrap();
        let alice = key("alice");
        save(&backend, &alice, "1").await;
        let lease = lease(&backend, &alice).await;
        let aside = Aside::new(alice.clone(), AsideReason::Llm);
        assert!(backend.set_aside(&lease, &aside).await.unwrap());
        assert!(backend.restore_aside(&lease, aside.id).await.unwrap());
        assert_eq!(database.number("SELECT COUNT(*) FROM {p}history"), 0, "{}", database.name);
    }
}
