//! The spool's files: private, bounded, durable, and never trusted.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use cogency_state::{Error, Resolution, SpoolProblem, SpooledKind};
use cogency_state_tests::ledger::Ledger;
use cogency_state_tests::switched::{Mode, Switched};

use crate::place::{Place, enter, files, key, numbers, settled};

async fn with_spooled(numbers: std::ops::RangeInclusive<u64>) -> Place {
    let place = Place::new();
    let manager = place.manager();
    enter(&manager, "alice", 1).await.unwrap();
    place.server.switch(Mode::Away);
    for number in numbers {
        enter(&manager, "alice", number).await.unwrap();
    }
    place
}

#[tokio::test]
async fn a_new_process_replays_what_an_earlier_one_spooled_before_any_call() {
    let place = with_spooled(2..=3).await;
    place.server.switch(Mode::Up);
    let manager = place.manager();
    settled(&manager).await;
    assert_eq!(place.stored("alice").await, [1, 2, 3]);
}

#[tokio::test]
async fn a_new_process_goes_on_from_what_an_earlier_one_spooled() {
    let place = with_spooled(2..=3).await;
    let manager = place.manager();
    enter(&manager, "alice", 4).await.unwrap();
    place.server.switch(Mode::Up);
    enter(&place.manager(), "alice", 5).await.unwrap();
    assert_eq!(place.stored("alice").await, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn what_expires_in_the_spool_lives_on_in_the_backend() {
    let place = Place::new();
    let ttl = Duration::from_secs(3600);
    let manager = place.builder().ttl(ttl).build();
    enter(&manager, "alice", 1).await.unwrap();
    place.server.switch(Mode::Away);
    enter(&manager, "alice", 2).await.unwrap();
    place.server.switch(Mode::Up);
    settled(&place.builder().build()).await;
    assert_eq!(place.stored("alice").await, [1, 2]);
}

#[tokio::test]
async fn files_are_private_readable_and_below_a_folder_of_their_backend() {
    let place = with_spooled(2..=2).await;
    let files = files(&place.spool());
    for path in &files {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
        for folder in path.ancestors().take_while(|folder| *folder != place.folder.path()).skip(1) {
            let mode = fs::metadata(folder).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o700, "{folder:?}");
        }
    }
    let entry = files.iter().find(|path| path.to_string_lossy().contains("/pending/")).unwrap();
    let text = fs::read_to_string(entry).unwrap();
    let values: Vec<serde_json::Value> =
        serde_json::Deserializer::from_str(&text).into_iter().map(Result::unwrap).collect();
    assert_eq!(values[0]["expected"]["version"], 1);
    assert_eq!(values[1]["state"], serde_json::json!([[0, 1], [0, 2]]));
    // Another backend has other states.
    let other = Switched::default();
    other.switch(Mode::Away);
    let other = cogency_state::StateManager::builder(other).spool_dir(place.spool()).build();
    assert!(enter(&other, "alice", 3).await.unwrap_err().is_outage());
    assert!(other.spool().await.unwrap().is_empty());
}

#[tokio::test]
async fn links_are_not_followed() {
    let place = with_spooled(2..=2).await;
    let target = tempfile::tempdir().unwrap();
    let location = fs::read_dir(place.spool()).unwrap().next().unwrap().unwrap().path();
    symlink(target.path(), location.join("bob")).unwrap();
    let manager = place.builder().on_outage(cogency_state::OnOutage::Fresh).build();
    let error = enter(&manager, "bob", 1).await.unwrap_err();
    assert!(
        matches!(error, Error::NotSpooled { problem: SpoolProblem::Unusable(_), .. }),
        "{error}"
    );
    assert!(error.to_string().contains("links are not followed"), "{error}");
    assert_eq!(files(target.path()).len(), 0);
    assert_eq!(manager.spool().await.unwrap().len(), 1, "the others are listed");
}

#[tokio::test]
async fn at_its_bound_the_save_is_refused_and_nothing_is_dropped() {
    let place = with_spooled(2..=4).await;
    let bytes = place.manager().health().await.spool_bytes;
    let manager = place.builder().spool_bytes(bytes + 10).build();
    let error = enter(&manager, "alice", 5).await.unwrap_err();
    let Error::NotSpooled { problem: SpoolProblem::Full { limit, .. }, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(*limit, bytes + 10);
    assert!(error.is_outage() && error.to_string().contains("nothing was saved"), "{error}");
    place.server.switch(Mode::Up);
    settled(&manager).await;
    assert_eq!(place.stored("alice").await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn while_something_waits_for_too_long_no_more_is_taken() {
    let place = with_spooled(2..=2).await;
    let manager = place.builder().spool_age(Duration::ZERO).build();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let error = enter(&manager, "alice", 3).await.unwrap_err();
    assert!(
        matches!(error, Error::NotSpooled { problem: SpoolProblem::TooOld { .. }, .. }),
        "{error}"
    );
    assert_eq!(manager.spool().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_makes_the_call_fail_before_its_body() {
    let place = Place::new();
    fs::write(place.spool(), "a file").unwrap();
    let manager = place.manager();
    enter(&manager, "alice", 1).await.unwrap();
    place.server.switch(Mode::Away);
    let error = enter(&manager, "alice", 2).await.unwrap_err();
    assert!(matches!(error, Error::NotSpooled { .. }) && error.is_outage(), "{error}");
    assert!(error.to_string().contains("switched off"), "{error}");
    let health = manager.health().await;
    assert!(!health.is_ok() && health.spool_error.is_some(), "{health:?}");
}

#[tokio::test]
async fn a_folder_that_was_removed_under_a_call_is_made_anew() {
    let place = with_spooled(2..=2).await;
    let manager = place.manager();
    let mut call = manager.begin::<Ledger>(&key("alice")).await.unwrap();
    call.state.entries.push((0, 3).into());
    fs::remove_dir_all(place.spool()).unwrap();
    assert!(call.commit().await.unwrap().is_spooled());
    let kept = manager.spool().await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(numbers(&manager.load_spooled::<Ledger>(&kept[0]).await.unwrap().state), [1, 2, 3]);
    // What it was made from is gone with the folder: that is a conflict, and nothing is guessed.
    place.server.switch(Mode::Up);
    settled(&manager).await;
    assert_eq!(place.stored("alice").await, [1]);
    assert_eq!(manager.health().await.conflicts, 1);
}

#[tokio::test]
async fn a_damaged_entry_is_kept_and_reported_and_never_sent() {
    let place = with_spooled(2..=4).await;
    let mut entries = files(&place.spool());
    entries.retain(|path| path.to_string_lossy().contains("/pending/"));
    entries.sort();
    let mut text = fs::read(&entries[1]).unwrap();
    let middle = text.len() / 2;
    text[middle] ^= 1;
    fs::write(&entries[1], &text).unwrap();
    let manager = place.manager();
    place.server.switch(Mode::Up);
    settled(&manager).await;
    assert_eq!(place.stored("alice").await, [1, 2], "what follows it stands on what is lost");
    let kept = manager.spool().await.unwrap();
    let kinds: Vec<_> = kept.iter().map(|entry| &entry.kind).collect();
    assert!(
        matches!(kinds[..], [SpooledKind::Conflict { .. }, SpooledKind::Damaged { .. }]),
        "{kinds:?}"
    );
    assert_eq!(fs::read(&kept[1].path).unwrap(), text, "it is as it was");
    let whole = manager.load_spooled::<Ledger>(&kept[0]).await.unwrap().state;
    assert_eq!(numbers(&whole), [1, 2, 3, 4]);
    manager.resolve(&kept[1], Resolution::Drop).await.unwrap();
    assert_eq!(manager.spool().await.unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_goes_on_from_before_a_newest_entry_that_is_damaged() {
    let place = with_spooled(2..=3).await;
    let mut entries = files(&place.spool());
    entries.retain(|path| path.to_string_lossy().contains("/pending/"));
    entries.sort();
    fs::write(&entries[1], "").unwrap();
    let error = enter(&place.manager(), "alice", 4).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn neither_errors_nor_debug_output_show_a_state() {
    const SECRET: &str = "hunter2";
    let place = Place::new();
    let manager = place.manager();
    manager.save_state(&key("alice"), SECRET.to_owned(), None).await.unwrap();
    place.server.switch(Mode::Away);
    let mut call = manager.begin::<String>(&key("alice")).await.unwrap();
    call.state.push('!');
    let outcome = call.commit().await.unwrap();
    let listed = manager.spool().await.unwrap();
    let shown = format!("{outcome:?} {listed:?} {manager:?} {:?}", manager.health().await);
    assert!(!shown.contains(SECRET), "{shown}");
}
