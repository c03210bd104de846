//! The circuit breaker: counted, not timed.

use std::time::Duration;

use cogency_state::{OnOutage, StateManager};
use cogency_state_tests::ledger::Ledger;
use cogency_state_tests::switched::{Mode, TIMEOUT};
use tokio::time::Instant;

use crate::place::{Place, enter, key, settled};

/// What is asked for by a task in the background within a time: after 50 ms, 100 ms, 200 ms and so
/// on up to the period.
const PROBES_OF_A_MINUTE: usize = 70;

#[tokio::test(start_paused = true)]
async fn a_thousand_calls_ask_a_server_that_is_away_once() {
    let place = Place::new();
    let manager = place.manager();
    for user in 0..10 {
        enter(&manager, &user.to_string(), 0).await.unwrap();
    }
    place.server.switch(Mode::Away);
    let before = place.server.asked();
    for call in 0..1000_u64 {
        enter(&manager, &(call % 10).to_string(), call).await.unwrap();
    }
    let asked = place.server.asked() - before;
    // The calls themselves take no time here, but for what the disk takes.
    assert!(asked <= 1 + PROBES_OF_A_MINUTE, "{asked} requests");
    let before = place.server.asked();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let probes = place.server.asked() - before;
    assert!((50..=PROBES_OF_A_MINUTE).contains(&probes), "{probes} probes in a minute");
}

#[tokio::test(start_paused = true)]
async fn no_call_waits_again_for_a_server_that_says_nothing() {
    let place = Place::new();
    let manager = place.manager();
    enter(&manager, "alice", 0).await.unwrap();
    place.server.switch(Mode::Silent);
    let waited = async |call| {
        let began = Instant::now();
        enter(&manager, "alice", call).await.unwrap();
        began.elapsed()
    };
    let first = waited(1).await;
    assert!((TIMEOUT..2 * TIMEOUT).contains(&first), "{first:?}");
    // Many periods of the breaker, whose probes wait in the background.
    for call in 2..200 {
        let later = waited(call).await;
        assert!(later < TIMEOUT / 10, "call {call} waited {later:?}");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_waits_once_for_a_server_that_falls_silent() {
    for policy in [OnOutage::Spool, OnOutage::Fail] {
        let place = Place::new();
        let manager = place.builder().on_outage(policy).build();
        let call = manager.begin::<Ledger>(&key("alice")).await.unwrap();
        place.server.switch(Mode::Silent);
        let began = Instant::now();
        assert_eq!(call.commit().await.is_ok(), policy == OnOutage::Spool);
        let waited = began.elapsed();
        assert!((TIMEOUT..TIMEOUT * 3 / 2).contains(&waited), "{policy:?}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_by_themselves_wait_once_to_give_their_keys_back() {
    let place = Place::new();
    let manager = place.manager();
    let mut calls = Vec::new();
    for user in ["alice", "bob", "carol"] {
        calls.push(manager.begin::<Ledger>(&key(user)).await.unwrap());
    }
    place.server.switch(Mode::Silent);
    let began = Instant::now();
    for call in calls {
        call.rollback().await;
    }
    assert!((TIMEOUT..TIMEOUT * 3 / 2).contains(&began.elapsed()), "{:?}", began.elapsed());
    // It was seen then.
    assert!(manager.health().await.away_since.is_some());
    place.server.switch(Mode::Up);
    settled(&manager).await;
    enter(&manager, "bob", 1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_do_not_ask_either() {
    let place = Place::new();
    let manager =
        place.builder().on_outage(OnOutage::Fail).probe_every(Duration::from_secs(3600)).build();
    place.server.switch(Mode::Away);
    let before = place.server.asked();
    for call in 0..100 {
        let error = enter(&manager, "alice", call).await.unwrap_err();
        assert!(error.is_outage(), "{error}");
    }
    assert!(place.server.asked() - before <= 2, "{}", place.server.asked());
    let error = enter(&manager, "alice", 0).await.unwrap_err().to_string();
    assert!(
        error.contains("probed in the background") && error.contains("switched off"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_server_is_found_again_without_a_call() {
    let place = Place::new();
    let manager = place.manager();
    enter(&manager, "alice", 1).await.unwrap();
    place.server.switch(Mode::Away);
    enter(&manager, "alice", 2).await.unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(place.stored("alice").await, [1]);
    place.server.switch(Mode::Up);
    settled(&manager).await;
    assert_eq!(place.stored("alice").await, [1, 2]);
    // Nobody asks any more.
    let before = place.server.asked();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(place.server.asked(), before);
}

#[tokio::test(start_paused = true)]
async fn without_a_breaker_every_call_asks() {
    let place = Place::new();
    let manager = place.builder().on_outage(OnOutage::Fail).probe_every(Duration::ZERO).build();
    place.server.switch(Mode::Away);
    let before = place.server.asked();
    for call in 0..10 {
        enter(&manager, "alice", call).await.unwrap_err();
    }
    assert_eq!(place.server.asked() - before, 10);
    place.server.switch(Mode::Up);
    enter(&manager, "alice", 10).await.unwrap();
}

#[test]
fn a_runtime_that_ends_takes_no_recovery_with_it() {
    let place = Place::new();
    let run = |work: &mut dyn FnMut(&tokio::runtime::Runtime, &StateManager),
               manager: &StateManager| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        work(&runtime, manager);
    };
    let manager = place.manager();
    run(
        &mut |runtime, manager| {
            runtime.block_on(async { enter(manager, "alice", 1).await }).unwrap();
            place.server.switch(Mode::Away);
            runtime.block_on(async { enter(manager, "alice", 2).await }).unwrap();
        },
        &manager,
    );
    place.server.switch(Mode::Up);
    run(
        &mut |runtime, manager| {
            // Either it replays, or it starts the task that does.
            runtime.block_on(async { enter(manager, "alice", 3).await }).unwrap();
            runtime.block_on(settled(manager));
            assert_eq!(runtime.block_on(place.stored("alice")), [1, 2, 3]);
        },
        &manager,
    );
}

#[test]
fn a_manager_that_is_made_before_its_runtime_sends_what_an_earlier_run_left() {
    let place = Place::new();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let spooling = async {
        let manager = place.manager();
        enter(&manager, "alice", 1).await.unwrap();
        place.server.switch(Mode::Away);
        enter(&manager, "alice", 2).await.unwrap();
    };
    runtime().block_on(spooling);
    place.server.switch(Mode::Up);
    let manager = place.manager();
    let calling = async {
        enter(&manager, "bob", 1).await.unwrap();
        settled(&manager).await;
        assert_eq!(place.stored("alice").await, [1, 2]);
    };
    runtime().block_on(calling);
}
