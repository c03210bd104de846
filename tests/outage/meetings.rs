//! Outages, and what else a manager does: quarantine, LLMs, the switch, decisions made twice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cogency_state::{Error, OnUnreadable, Outcome, Resolution, StateManager};
use cogency_state_tests::ledger::Ledger;
use cogency_state_tests::switched::Mode;

use crate::place::{Place, enter, key, numbers, settled};

/// Long enough for the task in the background to have looked several times.
const A_WHILE: Duration = Duration::from_millis(400);

#[tokio::test]
async fn who_waits_for_ever_can_spool_resolve_and_replay() {
    let place = Place::new();
    let manager = place.builder().wait(Duration::MAX).build();
    enter(&manager, "alice", 1).await.unwrap();
    place.server.switch(Mode::Away);
    assert!(enter(&manager, "alice", 2).await.unwrap().is_spooled());
    assert!(enter(&manager, "alice", 3).await.unwrap().is_spooled());
    let newest = manager.spool().await.unwrap().pop().unwrap();
    manager.resolve(&newest, Resolution::Drop).await.unwrap();
    place.server.switch(Mode::Up);
    settled(&manager).await;
    assert_eq!(place.stored("alice").await, [1, 2]);
}

#[tokio::test]
async fn calls_do_not_go_on_from_a_branch_that_is_in_conflict() {
    let place = Place::new();
    let manager = place.manager();
    enter(&manager, "alice", 1).await.unwrap();
    place.server.switch(Mode::Away);
    enter(&manager, "alice", 2).await.unwrap();
    enter(&place.foreign(), "alice", 100).await.unwrap();
    place.server.switch(Mode::Up);
    settled(&manager).await;
    assert_eq!(manager.health().await.conflicts, 1);
    // What is stored is not known, and what was spooled is known to be another.
    place.server.switch(Mode::Away);
    assert!(enter(&manager, "alice", 3).await.unwrap_err().is_outage());
}

#[tokio::test]
async fn calls_do_not_go_on_from_what_was_dropped() {
    let place = Place::new();
    let manager = place.manager();
    enter(&manager, "alice", 1).await.unwrap();
    place.server.switch(Mode::Away);
    enter(&manager, "alice", 2).await.unwrap();
    let entry = manager.spool().await.unwrap().pop().unwrap();
    manager.resolve(&entry, Resolution::Drop).await.unwrap();
    assert!(enter(&manager, "alice", 3).await.unwrap_err().is_outage());
    place.server.switch(Mode::Up);
    settled(&manager).await;
    assert_eq!(place.stored("alice").await, [1]);
}

#[tokio::test]
async fn calls_do_not_go_on_from_what_was_replaced_by_a_state_that_came_back() {
    let place = Place::new();
    let manager = place.builder().llm("a/1").build();
    let other = place.builder().llm("b/2").build();
    enter(&manager, "alice", 1).await.unwrap();
    enter(&other, "alice", 2).await.unwrap();
    let aside = other.quarantined().await.unwrap().pop().unwrap();
    let there = other.load_state::<Ledger>(&key("alice")).await.unwrap().unwrap();
    assert!(other.restore_aside_over(&aside, there.revision).await.unwrap());
    place.server.switch(Mode::Away);
    assert!(enter(&other, "alice", 3).await.unwrap_err().is_outage());
}

#[tokio::test]
async fn a_state_that_comes_back_stays_in_the_backend_until_its_next_version_is_there() {
    let place = Place::new();
    let one = place.builder().llm("a/1").build();
    enter(&one, "alice", 1).await.unwrap();
    enter(&place.builder().llm("b/2").build(), "alice", 2).await.unwrap();
    place.foreign().delete_state(&key("alice")).await.unwrap();
    let mut call = one.begin::<Ledger>(&key("alice")).await.unwrap();
    assert_eq!(numbers(&call.state), [1]);
    call.state.entries.push((0, 3).into());
    // It takes no saves, and all else.
    place.server.switch(Mode::Unsaving);
    assert!(call.commit().await.unwrap().is_spooled());
    place.server.switch(Mode::Up);
    assert_eq!(one.quarantined().await.unwrap().len(), 1, "should this disk be lost");
    settled(&one).await;
    assert_eq!(place.stored("alice").await, [1, 3]);
}

#[tokio::test]
async fn an_entry_that_was_sent_since_it_was_listed_is_dropped_all_the_same() {
    let place = Place::new();
    let manager = place.manager();
    enter(&manager, "alice", 1).await.unwrap();
    place.server.switch(Mode::Away);
    enter(&manager, "alice", 2).await.unwrap();
    let listed = manager.spool().await.unwrap().pop().unwrap();
    // It is tried, and stays.
    place.server.switch(Mode::Unsaving);
    tokio::time::timeout(Duration::from_secs(60), async {
        while manager.spool().await.unwrap()[0].path == listed.path {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    place.server.switch(Mode::Away);
    manager.resolve(&listed, Resolution::Drop).await.unwrap();
    assert!(manager.spool().await.unwrap().is_empty());
    place.server.switch(Mode::Up);
    settled(&manager).await;
    assert_eq!(place.stored("alice").await, [1]);
}

#[tokio::test]
async fn what_was_resolved_or_sent_already_is_not_saved_over_what_came_since() {
    let place = Place::new();
    let manager = place.manager();
    enter(&manager, "alice", 1).await.unwrap();
    place.server.switch(Mode::Away);
    enter(&manager, "alice", 2).await.unwrap();
    enter(&manager, "alice", 3).await.unwrap();
    let pending = manager.spool().await.unwrap().remove(0);
    enter(&place.foreign(), "bob", 100).await.unwrap();
    place.server.switch(Mode::Up);
    settled(&manager).await;
    // It was on its way, and has arrived with what followed it.
    assert_eq!(manager.resolve(&pending, Resolution::Ours).await.unwrap(), None);
    assert_eq!(place.stored("alice").await, [1, 2, 3]);
}

#[tokio::test]
async fn two_people_who_decide_for_ours_save_it_once() {
    let place = Place::new();
    let manager = place.manager();
    enter(&manager, "alice", 1).await.unwrap();
    place.server.switch(Mode::Away);
    enter(&manager, "alice", 2).await.unwrap();
    enter(&place.foreign(), "alice", 100).await.unwrap();
    place.server.switch(Mode::Up);
    settled(&manager).await;
    let seen_by_one = manager.spool().await.unwrap().pop().unwrap();
    let seen_by_another = manager.spool().await.unwrap().pop().unwrap();
    assert!(manager.resolve(&seen_by_one, Resolution::Ours).await.unwrap().is_some());
    enter(&manager, "alice", 3).await.unwrap();
    assert_eq!(manager.resolve(&seen_by_another, Resolution::Ours).await.unwrap(), None);
    assert_eq!(place.stored("alice").await, [1, 2, 3]);
}

/// Another type under the same key.
async fn as_a_number(manager: &StateManager, user: &str) -> Result<Outcome, Error> {
    manager.begin::<u32>(&key(user)).await?.commit().await
}

#[tokio::test]
async fn what_cannot_be_set_aside_now_is_refused_before_the_body_runs() {
    let place = Place::new();
    let manager = place.builder().on_unreadable(OnUnreadable::Quarantine).build();
    enter(&manager, "alice", 1).await.unwrap();
    place.server.switch(Mode::Away);
    let error = manager.begin::<u32>(&key("alice")).await.unwrap_err();
    assert!(matches!(error, Error::StateType { .. }), "{error}");
    place.server.switch(Mode::Up);
    settled(&manager).await;
    as_a_number(&manager, "alice").await.unwrap();
    assert_eq!(manager.quarantined().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_call_that_cannot_read_its_state_or_set_it_aside_tells_its_listeners() {
    let place = Place::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    let manager = place
        .builder()
        .llm("a/1")
        .on_outcome(move |_, outcome| listener.lock().unwrap().push(outcome.is_ok()))
        .build();
    enter(&manager, "alice", 1).await.unwrap();
    as_a_number(&manager, "alice").await.unwrap_err();
    assert_eq!(*told.lock().unwrap(), [true, false]);
    let other = place.builder().llm("b/2").build();
    enter(&other, "bob", 1).await.unwrap();
    let mut call = manager.begin::<Ledger>(&key("bob")).await.unwrap();
    call.state.entries.push((0, 2).into());
    place.server.switch(Mode::Away);
    call.commit().await.unwrap_err();
    assert_eq!(*told.lock().unwrap(), [true, false, false]);
}

#[tokio::test]
async fn another_llm_waits_for_the_backend_and_is_not_told_to_reset() {
    let place = Place::new();
    let one = place.builder().llm("a/1").build();
    let other = place.builder().llm("b/2").build();
    enter(&one, "alice", 1).await.unwrap();
    place.server.switch(Mode::Away);
    enter(&one, "alice", 2).await.unwrap();
    let error = enter(&other, "alice", 3).await.unwrap_err();
    assert!(error.is_outage() && error.to_string().contains("a/1"), "{error}");
    place.server.switch(Mode::Up);
    settled(&one).await;
    enter(&other, "alice", 3).await.unwrap();
    assert_eq!(place.stored("alice").await, [3]);
}

#[tokio::test]
async fn a_call_that_cannot_set_aside_tells_the_others_that_the_backend_is_away() {
    let place = Place::new();
    let other = place.builder().llm("b/2").build();
    enter(&place.builder().llm("a/1").build(), "alice", 1).await.unwrap();
    let mut call = other.begin::<Ledger>(&key("alice")).await.unwrap();
    call.state.entries.push((0, 2).into());
    place.server.switch(Mode::Away);
    assert!(call.commit().await.unwrap_err().is_outage());
    assert!(other.health().await.away_since.is_some());
}

/// It was not replaced by anybody; but that it was not deleted nobody can tell.
#[tokio::test]
async fn what_was_made_of_a_state_that_has_expired_since_is_kept_and_not_stored() {
    let place = Place::new();
    let manager = place.builder().ttl(Duration::from_millis(300)).build();
    enter(&manager, "alice", 1).await.unwrap();
    place.server.switch(Mode::Away);
    enter(&manager, "alice", 2).await.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    place.server.switch(Mode::Up);
    settled(&manager).await;
    assert_eq!(manager.health().await.conflicts, 1);
    let entry = manager.spool().await.unwrap().pop().unwrap();
    manager.resolve(&entry, Resolution::Ours).await.unwrap().unwrap();
    assert_eq!(place.stored("alice").await, [1, 2]);
}

#[tokio::test]
async fn what_waits_is_not_sent_by_a_manager_that_is_off() {
    let place = Place::new();
    let manager = place.manager();
    enter(&manager, "alice", 1).await.unwrap();
    place.server.switch(Mode::Away);
    enter(&manager, "alice", 2).await.unwrap();
    manager.set_enabled(false);
    let asked = place.server.asked();
    place.server.switch(Mode::Up);
    let off = place.builder().enabled(false).build();
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(off.replay_spool().await.unwrap(), 0);
    assert_eq!(place.stored("alice").await, [1]);
    // One look may have been under way.
    assert!(place.server.asked() <= asked + 1);
    off.set_enabled(true);
    settled(&off).await;
    assert_eq!(place.stored("alice").await, [1, 2]);
}
