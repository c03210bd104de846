//! What calls do when the backend is out of reach.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cogency_state::{Error, OnOutage, Outcome, SpooledKind, StateManager, robust, with_outcome};
use cogency_state_tests::ledger::Ledger;
use cogency_state_tests::switched::Mode;

use crate::place::{Place, enter, key, numbers, settled};

#[tokio::test]
async fn a_call_goes_on_from_what_was_saved_last_and_its_state_reaches_the_backend() {
    let place = Place::new();
    let manager = place.manager();
    assert!(matches!(enter(&manager, "alice", 1).await, Ok(Outcome::Saved(_))));
    place.server.switch(Mode::Away);
    for number in 2..=4 {
        let outcome = enter(&manager, "alice", number).await.unwrap();
        assert!(outcome.is_spooled() && outcome.revision().version == number, "{outcome:?}");
    }
    assert_eq!(place.stored("alice").await, [1]);
    let spooled = manager.spool().await.unwrap();
    assert!(spooled.iter().all(|entry| entry.kind == SpooledKind::Pending), "{spooled:?}");
    let health = manager.health().await;
    assert!(!health.is_ok() && health.spooled == 3 && health.away_since.is_some(), "{health:?}");
    assert!(health.last_error.unwrap().contains("switched off"));
    place.server.switch(Mode::Up);
    settled(&manager).await;
    assert_eq!(place.stored("alice").await, [1, 2, 3, 4]);
    // The folders and the lock go after the last entry.
    let emptied = async {
        while !crate::place::files(&place.spool()).is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let emptied = tokio::time::timeout(Duration::from_secs(30), emptied).await;
    assert!(emptied.is_ok(), "nothing stays behind");
    assert!(matches!(enter(&manager, "alice", 5).await, Ok(Outcome::Saved(_))));
}

#[tokio::test]
async fn a_state_that_this_process_does_not_know_fails_at_once_and_its_body_does_not_run() {
    let place = Place::new();
    enter(&place.manager(), "alice", 1).await.unwrap();
    let manager = place.manager();
    place.server.switch(Mode::Away);
    let error = enter(&manager, "alice", 2).await.unwrap_err();
    assert!(error.is_outage() && error.to_string().contains("does not know it"), "{error}");
    // To look at a state is not to know what it is now.
    place.server.switch(Mode::Up);
    settled(&manager).await;
    manager.load_state::<Ledger>(&key("alice")).await.unwrap().unwrap();
    place.server.switch(Mode::Away);
    assert!(enter(&manager, "alice", 2).await.unwrap_err().is_outage());
    assert!(manager.spool().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_outage_does_not_tell_one_user_of_another() {
    let place = Place::new();
    let manager = place.manager();
    place.server.switch(Mode::Away);
    // The first call finds it out, the second is not asked for.
    enter(&manager, "alice", 1).await.unwrap_err();
    let error = enter(&manager, "bob", 1).await.unwrap_err();
    let mut chain = Some(&error as &dyn std::error::Error);
    while let Some(error) = chain {
        assert!(!error.to_string().contains("alice"), "{error}");
        assert!(!format!("{error:?}").contains("alice"), "{error:?}");
        chain = error.source();
    }
    assert!(error.to_string().contains("switched off"), "{error}");
    assert!(!manager.health().await.last_error.unwrap().contains("alice"));
}

#[tokio::test]
async fn what_others_saved_since_makes_the_own_state_unknown() {
    let place = Place::new();
    let manager = place.manager();
    enter(&manager, "alice", 1).await.unwrap();
    enter(&place.manager(), "alice", 2).await.unwrap();
    // It sees that, and saves nothing.
    manager.begin::<Ledger>(&key("alice")).await.unwrap().rollback().await;
    place.server.switch(Mode::Away);
    assert!(enter(&manager, "alice", 3).await.unwrap_err().is_outage());
}

#[tokio::test]
async fn a_save_whose_answer_was_lost_happens_once_whether_it_had_happened_or_not() {
    for mode in [Mode::Mute, Mode::Deaf, Mode::Unsaving] {
        let place = Place::new();
        let manager = place.manager();
        enter(&manager, "alice", 1).await.unwrap();
        let mut call = manager.begin::<Ledger>(&key("alice")).await.unwrap();
        call.state.entries.push((0, 2).into());
        place.server.switch(mode);
        assert!(call.commit().await.unwrap().is_spooled(), "{mode:?}");
        assert!(enter(&manager, "alice", 3).await.unwrap().is_spooled(), "{mode:?}");
        place.server.switch(Mode::Up);
        settled(&manager).await;
        assert_eq!(place.stored("alice").await, [1, 2, 3], "{mode:?}");
    }
}

#[tokio::test]
async fn fresh_begins_anew_and_never_replaces_what_is_stored() {
    let place = Place::new();
    enter(&place.manager(), "alice", 1).await.unwrap();
    let manager = place.builder().on_outage(OnOutage::Fresh).build();
    place.server.switch(Mode::Away);
    for (user, number) in [("alice", 10), ("alice", 11), ("bob", 20)] {
        assert!(enter(&manager, user, number).await.unwrap().is_spooled());
    }
    place.server.switch(Mode::Up);
    settled(&manager).await;
    assert_eq!(place.stored("alice").await, [1]);
    assert_eq!(place.stored("bob").await, [20], "there was none: nothing is replaced");
    let kept = manager.spool().await.unwrap();
    assert_eq!(kept.len(), 2);
    let newest = manager.load_spooled::<Ledger>(&kept[1]).await.unwrap().state;
    assert_eq!(numbers(&newest), [10, 11]);
    let health = manager.health().await;
    assert!(health.is_ok() && health.needs_attention() && health.conflicts == 2, "{health:?}");
}

#[tokio::test]
async fn fail_makes_every_outage_an_error_and_spools_nothing() {
    let place = Place::new();
    let manager = place.builder().on_outage(OnOutage::Fail).build();
    enter(&manager, "alice", 1).await.unwrap();
    let mut call = manager.begin::<Ledger>(&key("alice")).await.unwrap();
    call.state.entries.push((0, 2).into());
    place.server.switch(Mode::Away);
    let error = call.commit().await.unwrap_err();
    assert!(matches!(error, Error::Backend { is_outage: true, .. }), "{error}");
    assert!(enter(&manager, "alice", 3).await.unwrap_err().is_outage());
    assert!(!place.spool().exists());
    place.server.switch(Mode::Up);
    settled(&manager).await;
    enter(&manager, "alice", 4).await.unwrap();
    assert_eq!(place.stored("alice").await, [1, 4]);
}

#[robust(persist = manager, on_outage = fail)]
async fn strict(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[robust(persist = manager, on_outage = fresh)]
async fn lenient(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[robust(persist = manager)]
async fn usual(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[tokio::test]
async fn the_argument_of_a_function_counts_more_than_the_manager() {
    let place = Place::new();
    let (spooling, failing) = (place.manager(), place.builder().on_outage(OnOutage::Fail).build());
    assert_eq!(usual(&spooling, "alice").await.unwrap(), 1);
    place.server.switch(Mode::Away);
    assert_eq!(usual(&spooling, "alice").await.unwrap(), 2);
    assert!(strict(&spooling, "alice").await.unwrap_err().is_outage());
    assert!(usual(&spooling, "bob").await.unwrap_err().is_outage());
    assert_eq!(lenient(&spooling, "bob").await.unwrap(), 1);
    assert!(usual(&failing, "carol").await.unwrap_err().is_outage());
    assert_eq!(lenient(&failing, "carol").await.unwrap(), 1);
}

#[tokio::test]
async fn what_became_of_each_call_is_told() {
    let place = Place::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    let manager = place
        .builder()
        .on_outcome(move |key, outcome| {
            let word = match outcome {
                Ok(Outcome::Saved(_)) => "saved",
                Ok(_) => "spooled",
                Err(error) if error.is_outage() => "away",
                Err(_) => "not saved",
            };
            listener.lock().unwrap().push(format!("{} {word}", key.user_id()));
        })
        .build();
    usual(&manager, "alice").await.unwrap();
    let key = key("alice");
    manager.save_state(&key, f64::NAN, None).await.unwrap_err();
    manager.save_state(&key, 7_u32, None).await.unwrap_err();
    place.server.switch(Mode::Away);
    usual(&manager, "alice").await.unwrap();
    usual(&manager, "bob").await.unwrap_err();
    let told = told.lock().unwrap().join(", ");
    assert_eq!(told, "alice saved, alice not saved, alice spooled, bob away");
}

/// A call in the body of another one, on a key of its own.
#[robust(persist = manager)]
async fn around(
    state: &mut u32,
    manager: &StateManager,
    user_id: &str,
    fails: bool,
) -> Result<Option<Outcome>, Error> {
    *state += 1;
    let (counted, outcome) = with_outcome(usual(manager, "inner")).await;
    counted?;
    if fails { Err(Error::NoRuntime) } else { Ok(outcome) }
}

#[tokio::test]
async fn who_calls_a_function_can_see_what_became_of_its_state() {
    let place = Place::new();
    let manager = place.manager();
    let version = |outcome: Option<Outcome>| outcome.map(|outcome| outcome.revision().version);
    let (counted, outcome) = with_outcome(usual(&manager, "alice")).await;
    assert_eq!(counted.unwrap(), 1);
    assert!(matches!(outcome, Some(Outcome::Saved(_))), "{outcome:?}");

    // Of the call that is made, not of one in its body.
    let (inner, outcome) = with_outcome(around(&manager, "alice", false)).await;
    assert_eq!((version(inner.unwrap()), version(outcome)), (Some(1), Some(2)));
    let (failed, outcome) = with_outcome(around(&manager, "alice", true)).await;
    assert!(failed.is_err() && outcome.is_none(), "{outcome:?}");

    // Each of two at once has its own, and a task knows nothing of who waits for it.
    let calls =
        async { tokio::join!(usual(&manager, "bob"), with_outcome(usual(&manager, "carol"))) };
    let ((_, (_, carols)), bobs) = with_outcome(calls).await;
    assert_eq!((version(bobs), version(carols)), (Some(1), Some(1)));
    let own = manager.clone();
    let (_, outcome) = with_outcome(tokio::spawn(async move { usual(&own, "bob").await })).await;
    assert!(outcome.is_none(), "{outcome:?}");

    place.server.switch(Mode::Away);
    let (counted, outcome) = with_outcome(usual(&manager, "alice")).await;
    assert_eq!(counted.unwrap(), 3);
    assert!(matches!(outcome, Some(Outcome::Spooled(_))), "{outcome:?}");
    let (unknown, outcome) = with_outcome(usual(&manager, "dora")).await;
    assert!(unknown.is_err() && outcome.is_none(), "{outcome:?}");
    manager.set_enabled(false);
    let (_, outcome) = with_outcome(usual(&manager, "alice")).await;
    assert!(matches!(outcome, Some(Outcome::Off(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_save_by_hand_is_spooled_over_what_it_was_made_from_and_over_nothing_else() {
    let place = Place::new();
    let manager = place.manager();
    let key = key("alice");
    let first = manager.save_state(&key, 1_u32, None).await.unwrap();
    place.server.switch(Mode::Away);
    let second = manager.save_state(&key, 2_u32, Some(first)).await.unwrap();
    let error = manager.save_state(&key, 9_u32, Some(first)).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { expected: 1, found: 2, .. }), "{error}");
    let loaded = manager.load_state::<u32>(&key).await.unwrap().unwrap();
    assert_eq!((loaded.state, loaded.revision), (2, second));
    assert!(manager.delete_state(&key).await.unwrap_err().is_outage());
    place.server.switch(Mode::Up);
    settled(&manager).await;
    assert_eq!(manager.list_states("alice").await.unwrap(), std::slice::from_ref(&key));
    assert_eq!(manager.load_state::<u32>(&key).await.unwrap().unwrap().revision, second);
}

#[tokio::test]
async fn deleting_and_listing_need_the_server() {
    let place = Place::new();
    let manager = place.manager();
    enter(&manager, "alice", 1).await.unwrap();
    place.server.switch(Mode::Away);
    assert!(manager.delete_state(&key("alice")).await.unwrap_err().is_outage());
    assert!(manager.list_states("alice").await.unwrap_err().is_outage());
    assert!(manager.quarantined().await.unwrap_err().is_outage());
    place.server.switch(Mode::Up);
    settled(&manager).await;
    assert_eq!(place.stored("alice").await, [1]);
}

#[tokio::test]
async fn a_state_that_waits_in_the_spool_is_listed_and_its_deletion_waits_for_it() {
    let place = Place::new();
    let manager = place.builder().on_outage(OnOutage::Fresh).build();
    place.server.switch(Mode::Away);
    enter(&manager, "alice", 1).await.unwrap();
    place.server.switch(Mode::Up);
    let other = place.manager();
    assert_eq!(other.list_states("alice").await.unwrap(), [key("alice")]);
    assert!(other.delete_state(&key("alice")).await.unwrap(), "it was stored, then deleted");
    settled(&manager).await;
    assert!(place.stored("alice").await.is_empty());
    assert!(manager.spool().await.unwrap().is_empty());
}
