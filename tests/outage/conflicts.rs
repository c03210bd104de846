//! Both sides moved on: both are kept.

use cogency_state::{Error, Resolution, SpooledKind, StateManager};
use cogency_state_tests::ledger::Ledger;
use cogency_state_tests::switched::Mode;

use crate::place::{Place, enter, key, numbers, settled};

/// Two calls were spooled while somebody else made one.
async fn conflict() -> (Place, StateManager) {
    let place = Place::new();
    let manager = place.manager();
    enter(&manager, "alice", 1).await.unwrap();
    place.server.switch(Mode::Away);
    enter(&manager, "alice", 2).await.unwrap();
    enter(&manager, "alice", 3).await.unwrap();
    enter(&place.foreign(), "alice", 100).await.unwrap();
    place.server.switch(Mode::Up);
    settled(&manager).await;
    (place, manager)
}

#[tokio::test]
async fn both_sides_are_kept_and_calls_go_on_from_what_is_stored() {
    let (place, manager) = conflict().await;
    assert_eq!(place.stored("alice").await, [1, 100]);
    enter(&manager, "alice", 4).await.unwrap();
    assert_eq!(place.stored("alice").await, [1, 100, 4]);
    let kept = manager.spool().await.unwrap();
    let mut ours = Vec::new();
    for entry in &kept {
        let is_certain = matches!(entry.kind, SpooledKind::Conflict { may_be_stored: false, .. });
        assert!(is_certain, "{entry:?}");
        ours.push(numbers(&manager.load_spooled::<Ledger>(entry).await.unwrap().state));
    }
    assert_eq!(ours, [vec![1, 2], vec![1, 2, 3]]);
    // A restart changes nothing.
    let again = place.manager();
    settled(&again).await;
    assert_eq!(again.spool().await.unwrap().len(), 2);
}

#[tokio::test]
async fn theirs_leaves_what_is_stored_and_removes_the_branch() {
    let (place, manager) = conflict().await;
    let newest = manager.spool().await.unwrap().pop().unwrap();
    assert_eq!(manager.resolve(&newest, Resolution::Theirs).await.unwrap(), None);
    assert!(manager.spool().await.unwrap().is_empty());
    assert_eq!(place.stored("alice").await, [1, 100]);
    assert!(crate::place::files(&place.spool()).is_empty());
}

#[tokio::test]
async fn ours_becomes_a_new_version_and_removes_the_branch() {
    let (place, manager) = conflict().await;
    let newest = manager.spool().await.unwrap().pop().unwrap();
    let saved = manager.resolve(&newest, Resolution::Ours).await.unwrap().unwrap();
    assert_eq!(saved.version, 3);
    assert!(manager.spool().await.unwrap().is_empty());
    assert_eq!(place.stored("alice").await, [1, 2, 3]);
    enter(&manager, "alice", 4).await.unwrap();
    assert_eq!(place.stored("alice").await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn drop_removes_one_entry() {
    let (place, manager) = conflict().await;
    let newest = manager.spool().await.unwrap().pop().unwrap();
    manager.resolve(&newest, Resolution::Drop).await.unwrap();
    assert_eq!(manager.spool().await.unwrap().len(), 1);
    assert_eq!(place.stored("alice").await, [1, 100]);
}

#[tokio::test]
async fn a_resolution_that_does_not_reach_the_backend_removes_nothing() {
    let (place, manager) = conflict().await;
    let newest = manager.spool().await.unwrap().pop().unwrap();
    place.server.switch(Mode::Away);
    assert!(manager.resolve(&newest, Resolution::Ours).await.unwrap_err().is_outage());
    assert_eq!(manager.spool().await.unwrap().len(), 2);
}

/// It had happened, its answer was lost, and somebody built on it: no one can tell that from here,
/// and nobody pretends to.
#[tokio::test]
async fn a_conflict_that_may_be_stored_already_says_so() {
    let place = Place::new();
    let manager = place.manager();
    enter(&manager, "alice", 1).await.unwrap();
    let mut call = manager.begin::<Ledger>(&key("alice")).await.unwrap();
    call.state.entries.push((0, 2).into());
    place.server.switch(Mode::Mute);
    assert!(call.commit().await.unwrap().is_spooled());
    enter(&place.foreign(), "alice", 100).await.unwrap();
    place.server.switch(Mode::Up);
    settled(&manager).await;
    assert_eq!(place.stored("alice").await, [1, 2, 100], "it is not repeated");
    let kept = manager.spool().await.unwrap();
    assert_eq!(kept.len(), 1);
    let is_in_doubt = matches!(kept[0].kind, SpooledKind::Conflict { may_be_stored: true, .. });
    assert!(is_in_doubt, "{kept:?}");
}

/// They share the spool, as processes of one host do.
#[tokio::test]
async fn processes_on_one_host_see_what_the_others_spooled() {
    let place = Place::new();
    let (one, other) = (place.manager(), place.manager());
    enter(&one, "alice", 1).await.unwrap();
    place.server.switch(Mode::Away);
    enter(&one, "alice", 2).await.unwrap();
    // It never saw the key, and knows it from the spool.
    enter(&other, "alice", 3).await.unwrap();
    enter(&one, "alice", 4).await.unwrap();
    let loaded = other.load_state::<Ledger>(&key("alice")).await.unwrap().unwrap();
    assert_eq!(numbers(&loaded.state), [1, 2, 3, 4]);
    place.server.switch(Mode::Up);
    settled(&one).await;
    assert_eq!(place.stored("alice").await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_key_that_another_process_goes_on_with_is_waited_for() {
    let place = Place::new();
    let (one, other) = (place.manager(), place.builder().wait(std::time::Duration::ZERO).build());
    enter(&one, "alice", 1).await.unwrap();
    place.server.switch(Mode::Away);
    let call = one.begin::<Ledger>(&key("alice")).await.unwrap();
    let error = enter(&other, "alice", 2).await.unwrap_err();
    assert!(matches!(error, Error::LeaseTimeout { .. }), "{error}");
    call.rollback().await;
}

/// Each has a disk of its own, as processes on two hosts have.
#[tokio::test]
async fn two_hosts_that_go_on_with_one_key_both_keep_their_branch() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let one = place.manager();
    enter(&one, "alice", 1).await.unwrap();
    let other = place.builder().spool_dir(elsewhere.spool()).build();
    enter(&other, "alice", 2).await.unwrap();
    enter(&one, "alice", 3).await.unwrap();
    // The other one's last state is older, and it does not know that.
    place.server.switch(Mode::Away);
    enter(&one, "alice", 10).await.unwrap();
    enter(&other, "alice", 20).await.unwrap();
    place.server.switch(Mode::Up);
    settled(&one).await;
    settled(&other).await;
    assert_eq!(place.stored("alice").await, [1, 2, 3, 10]);
    let kept = other.spool().await.unwrap();
    assert_eq!(numbers(&other.load_spooled::<Ledger>(&kept[0]).await.unwrap().state), [1, 2, 20]);
    assert!(one.spool().await.unwrap().is_empty());
}
