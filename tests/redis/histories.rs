//! Histories on Redis, and large states, which are in their histories alone.

use std::time::Duration;

use cogency_state::{
    Error, Event, HistoryBackend, Metadata, Moment, Record, RedisBackend, RedisBackendBuilder,
    Retention, Revision, StateBackend as _, StateManager, Write,
};
use cogency_state_tests::redis::{RedisServer, fresh_prefix, shared};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{in_history, key, lease};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const MINUTE: Duration = Duration::from_secs(60);

fn builder(prefix: &str) -> RedisBackendBuilder {
    RedisBackend::builder(&shared().url()).prefix(prefix)
}

fn backend(prefix: &str) -> RedisBackend {
    builder(prefix).build().unwrap()
}

/// The name of one of alice's keys.
fn name(prefix: &str, what: &str) -> String {
    let record = format!("{prefix}:state:alice:default");
    if what == "state" { record } else { format!("{prefix}:{what}:{{{record}}}") }
}

/// Appends to alice's state, once more.
async fn append(manager: &StateManager, text: &str) {
    let mut call = manager.begin::<Vec<String>>(&key("alice")).await.unwrap();
    call.state.push(text.to_owned());
    call.commit().await.unwrap();
}

async fn versions(backend: &RedisBackend) -> Vec<u64> {
    let entries = backend.list_history(&key("alice"), None, 10_000).await.unwrap();
    let saves = entries.iter().filter(|entry| entry.event == Event::Save);
    saves.map(|entry| entry.version).collect()
}

/// How many bytes a server was given, or has sent.
fn traffic(server: &RedisServer, direction: &str) -> usize {
    let info: String = server.run(&["INFO", "stats"]);
    let field = format!("total_net_{direction}_bytes:");
    info.lines().find_map(|line| line.strip_prefix(&*field)).unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn a_save_of_a_large_state_costs_what_changed_wherever_it_is_made() {
    let server = RedisServer::start();
    let open = || crate::strict(RedisBackend::new(&server.url()).unwrap());
    let managers = [open(), open()];
    append(&managers[0], &"x".repeat(MIB)).await;
    append(&managers[1], "first").await;
    // From here on each knows what it loaded or saved, and what the other one changed is little.
    for turn in 0..10 {
        let before = ["input", "output"].map(|direction| traffic(&server, direction));
        append(&managers[turn % 2], &format!("turn {turn}")).await;
        let after = ["input", "output"].map(|direction| traffic(&server, direction));
        for (before, after) in before.into_iter().zip(after) {
            assert!(after - before < 50 * KIB, "{} bytes in turn {turn}", after - before);
        }
    }
    let loaded = open().load_state::<Vec<String>>(&key("alice")).await.unwrap().unwrap();
    assert_eq!((loaded.state.len(), &*loaded.state[11]), (12, "turn 9"));
    let document: usize = server.run(&["STRLEN", "cogency:state:alice:default"]);
    assert!(document < KIB, "{document}");
}

#[tokio::test]
async fn a_state_is_whole_up_to_64_kib_and_in_its_history_beyond() {
    let prefix = fresh_prefix();
    let manager = crate::strict(backend(&prefix));
    let mut revision = None;
    for (length, is_whole) in [(KIB, true), (64 * KIB - 2, true), (64 * KIB - 1, false), (1, true)]
    {
        let state = "x".repeat(length);
        revision = Some(manager.save_state(&key("alice"), state, revision).await.unwrap());
        let document: String = shared().run(&["GET", &name(&prefix, "state")]);
        let document: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document.get("state").is_some(), is_whole, "{length}");
        assert_eq!(document.get("in_history").is_none(), is_whole, "{length}");
        let loaded = manager.load_state::<String>(&key("alice")).await.unwrap().unwrap();
        assert_eq!(loaded.state.len(), length);
    }
}

#[tokio::test]
async fn at_least_32_versions_stay_and_not_many_more_whether_they_change_little_or_all() {
    for whole_up_to in [0, 64 * KIB] {
        for changes_all in [true, false] {
            let prefix = fresh_prefix();
            let backend = builder(&prefix).whole_up_to(whole_up_to).build().unwrap();
            let manager = crate::strict(backend.clone());
            let mut state = String::new();
            for number in 1..=300_u64 {
                if changes_all {
                    state = (0..300).map(|_| fastrand::alphanumeric()).collect();
                } else {
                    state.push_str("a few words more, ");
                }
                let mut call = manager.begin::<String>(&key("alice")).await.unwrap();
                call.state.clone_from(&state);
                call.commit().await.unwrap();
                if number % 50 == 0 {
                    let there = versions(&backend).await;
                    assert!(there.len() as u64 >= number.min(32), "{number}: {}", there.len());
                    // What is kept as changes needs what it is a change of.
                    let most = if changes_all { 2 * 32 + 1 } else { 2 * 32 + 256 };
                    assert!(there.len() <= most, "{number}: {}", there.len());
                }
            }
            for version in 269..=300 {
                let version = Moment::Version(version);
                assert!(backend.load_history(&key("alice"), version).await.unwrap().is_some());
            }
            assert!(backend.verify_history(&key("alice")).await.unwrap().is_current);
        }
    }
}

#[tokio::test]
async fn a_history_that_is_pruned_under_a_call_is_gone_on_with() {
    for whole_up_to in [0, 64 * KIB] {
        let prefix = fresh_prefix();
        let backend = builder(&prefix).whole_up_to(whole_up_to).build().unwrap();
        let manager = crate::strict(backend.clone());
        let mut revision = None;
        for number in 0..5 {
            let state = vec![number.to_string().repeat(1000)];
            revision = Some(manager.save_state(&key("alice"), state, revision).await.unwrap());
        }
        let mut call = manager.begin::<Vec<String>>(&key("alice")).await.unwrap();
        let other = builder(&prefix).build().unwrap();
        let removed = other.prune_history(&key("alice"), Retention::Versions(1)).await.unwrap();
        assert!(removed > 0);
        call.state.push("behind a pruning".to_owned());
        call.commit().await.unwrap();
        let loaded = crate::strict(other.clone()).load_state::<Vec<String>>(&key("alice")).await;
        assert_eq!(loaded.unwrap().unwrap().state.len(), 2);
        assert!(other.verify_history(&key("alice")).await.unwrap().is_current);
    }
}

#[tokio::test]
async fn a_large_state_of_the_earlier_layout_loads_and_is_in_its_history_from_the_next_save_on() {
    let prefix = fresh_prefix();
    let earlier = builder(&prefix).without_history().build().unwrap();
    append(&crate::strict(earlier.clone()), &"x".repeat(MIB)).await;
    let length = || shared().run::<usize>(&["STRLEN", &name(&prefix, "state")]);
    assert!(length() > MIB);
    let manager = crate::strict(backend(&prefix));
    append(&manager, "second").await;
    assert!(length() < KIB);
    append(&manager, "third").await;

    // Who keeps no history writes all of it again, and is gone on from.
    let earlier = crate::strict(earlier);
    append(&earlier, "fourth").await;
    assert!(length() > MIB);
    append(&manager, "fifth").await;
    assert!(length() < KIB);
    let loaded = earlier.load_state::<Vec<String>>(&key("alice")).await.unwrap().unwrap();
    assert_eq!(loaded.state.len(), 5);
    let verified = backend(&prefix).verify_history(&key("alice")).await.unwrap();
    assert!(verified.is_current);
}

#[tokio::test]
async fn an_erased_state_leaves_what_says_that_it_was_there_and_nothing_of_it() {
    let prefix = fresh_prefix();
    let manager = crate::strict(backend(&prefix));
    let secret = "hunter2".repeat(20_000);
    append(&manager, &secret).await;
    append(&manager, "small").await;
    assert!(manager.erase(&key("alice")).await.unwrap());
    let keys: Vec<String> = shared().run(&["KEYS", &format!("{prefix}:*")]);
    assert_eq!(keys, [name(&prefix, "history")]);
    let entries = manager.history(&key("alice")).list(None, 9).await.unwrap();
    let events: Vec<_> = entries.iter().map(|entry| entry.event.clone()).collect();
    assert_eq!(events, [Event::Prune, Event::Delete]);
}

#[tokio::test]
async fn the_history_of_a_record_that_was_removed_by_hand_or_without_a_history_is_erased() {
    for is_removed in [false, true] {
        let prefix = fresh_prefix();
        let keeps = crate::strict(backend(&prefix));
        append(&keeps, &"hunter2".repeat(20_000)).await;
        append(&keeps, "small").await;
        if is_removed {
            shared().run::<()>(&["DEL", &name(&prefix, "state")]);
        }
        let off = crate::strict(builder(&prefix).without_history().build().unwrap());
        let by = if is_removed { &keeps } else { &off };
        assert!(by.erase(&key("alice")).await.unwrap());
        let keys: Vec<String> = shared().run(&["KEYS", &format!("{prefix}:*")]);
        assert_eq!(keys, Vec::<String>::new());
        assert!(!by.erase(&key("alice")).await.unwrap());
        append(&keeps, "anew").await;
        assert!(keeps.history(&key("alice")).verify().await.unwrap().is_current);
    }
}

/// How long alice's keys live, in milliseconds; -1 for ever, -2 if it is not there.
fn times(prefix: &str) -> [i64; 3] {
    ["state", "history", "contents"].map(|what| shared().run(&["PEXPIRETIME", &name(prefix, what)]))
}

/// Whether all of them go together, and the state not after its history.
fn go_together([state, history, contents]: [i64; 3]) -> bool {
    state > 0 && [history, contents].iter().all(|time| (state..state + 1000).contains(time))
}

#[tokio::test]
async fn a_history_has_the_time_of_its_state_whoever_keeps_it() {
    for whole_up_to in [0, 64 * KIB] {
        let prefix = fresh_prefix();
        let hour = Duration::from_secs(60 * 60);
        let open = || builder(&prefix).whole_up_to(whole_up_to).lease_ttl(hour).build().unwrap();
        let mortal = crate::failing(open()).ttl(MINUTE).build();
        append(&mortal, &"x".repeat(10 * KIB)).await;
        append(&mortal, "second").await;
        let own = times(&prefix);
        assert!(go_together(own), "{own:?}");
        for manager in [mortal.clone(), crate::failing(open()).ttl(MINUTE).build()] {
            let call = manager.begin::<Vec<String>>(&key("alice")).await.unwrap();
            let kept = times(&prefix);
            assert!(go_together(kept) && kept[0] > own[0] + 1_000_000, "{kept:?}");
            call.rollback().await;
            let back = times(&prefix);
            assert!(go_together(back) && back[0] == own[0], "{back:?}");
        }
        append(&crate::strict(open()), "for ever").await;
        assert_eq!(times(&prefix), [-1; 3]);
        append(&mortal, "not for ever").await;
        assert!(go_together(times(&prefix)));
        assert!(open().verify_history(&key("alice")).await.unwrap().is_current);
    }
}

#[tokio::test]
async fn a_history_is_kept_with_a_state_that_was_known_as_one_that_stays() {
    let prefix = fresh_prefix();
    let hour = Duration::from_secs(60 * 60);
    let open = || builder(&prefix).whole_up_to(0).lease_ttl(hour).build().unwrap();
    let here = crate::strict(open());
    append(&here, &"x".repeat(10 * KIB)).await;
    append(&crate::failing(open()).ttl(MINUTE).build(), "not for ever").await;
    let [own, ..] = times(&prefix);
    let call = here.begin::<Vec<String>>(&key("alice")).await.unwrap();
    let kept = times(&prefix);
    assert!(kept.iter().all(|time| *time > own + 1_000_000), "{kept:?}, own is {own}");
    call.rollback().await;
    assert!(go_together(times(&prefix)));
}

#[tokio::test]
async fn a_state_that_expires_takes_its_history_with_it() {
    let prefix = fresh_prefix();
    let backend = in_history(&shared().url(), &prefix).build().unwrap();
    let mortal = crate::failing(backend.clone()).ttl(Duration::from_millis(300)).build();
    append(&mortal, &"x".repeat(10 * KIB)).await;
    let begun = Instant::now();
    while times(&prefix) != [-2; 3] {
        assert!(begun.elapsed() < Duration::from_secs(10), "it does not expire");
        sleep(Duration::from_millis(10)).await;
    }
    assert!(backend.list_history(&key("alice"), None, 9).await.unwrap().is_empty());
    let gone = backend.load_history(&key("alice"), Moment::Version(1)).await;
    assert!(matches!(gone, Err(Error::NoSuchVersion { .. })), "{gone:?}");
    append(&mortal, "anew").await;
    assert_eq!(backend.list_history(&key("alice"), None, 9).await.unwrap()[0].sequence, 1);
}

#[tokio::test]
async fn the_history_of_a_state_that_was_deleted_before_its_time_goes_when_that_is_over() {
    let prefix = fresh_prefix();
    let backend = backend(&prefix);
    let mortal = crate::failing(backend.clone()).ttl(MINUTE).build();
    append(&mortal, "one").await;
    let [own, ..] = times(&prefix);
    assert!(mortal.delete_state(&key("alice")).await.unwrap());
    let [state, history, _] = times(&prefix);
    assert_eq!(state, -2);
    assert!((own..own + 1000).contains(&history), "{history}, due is {own}");
    append(&crate::strict(backend), "for ever").await;
    assert_eq!(times(&prefix)[1], -1);
}

#[tokio::test]
async fn a_large_state_is_set_aside_whole_and_comes_back_whatever_became_of_its_history() {
    let prefix = fresh_prefix();
    let backend = in_history(&shared().url(), &prefix).build().unwrap();
    let manager = crate::strict(backend.clone());
    for number in 0..5 {
        append(&manager, &number.to_string().repeat(5000)).await;
    }
    let before = backend.load_state(&key("alice")).await.unwrap();
    let held = lease(&backend, &key("alice")).await;
    let aside = cogency_state::Aside::new(key("alice"), cogency_state::AsideReason::Llm);
    assert!(backend.set_aside(&held, &aside).await.unwrap());
    assert!(backend.load_state(&key("alice")).await.unwrap().is_none());
    backend.prune_history(&key("alice"), Retention::Age(Duration::ZERO)).await.unwrap();
    assert_eq!(backend.load_aside(&key("alice"), aside.id).await.unwrap(), before);
    assert!(backend.restore_aside(&held, aside.id).await.unwrap());
    assert_eq!(backend.load_state(&key("alice")).await.unwrap(), before);
    backend.release_lease(&held).await.unwrap();
    append(&manager, "and goes on").await;
    assert!(backend.verify_history(&key("alice")).await.unwrap().is_current);
}

#[tokio::test]
async fn a_look_without_a_lease_sees_one_version_or_another_and_no_mixture() {
    let prefix = fresh_prefix();
    let open = || in_history(&shared().url(), &prefix).history(Retention::Versions(2));
    let writer = open().build().unwrap();
    let writing = tokio::spawn(async move {
        let held = lease(&writer, &key("alice")).await;
        let mut last: Option<Record> = None;
        for number in 0..300 {
            // Now and then so much that there is a new keyframe.
            let state = format!("[{}]", vec![number.to_string(); 1 + number % 40 * 50].join(","));
            let expected = last.as_ref().map(|last| last.revision);
            let revision = Revision::after(expected);
            let record = Record::new(key("alice"), revision, None, Metadata::now(), state.into());
            let replaced = last.map(|last| last.state);
            let write = Write::new(record.clone(), expected).with_replaced(replaced);
            writer.save_state(&held, &write).await.unwrap();
            last = Some(record);
        }
    });
    let reader = crate::strict(open().known_bytes(0).build().unwrap());
    let mut seen = 0;
    while !writing.is_finished() {
        let loaded = reader.load_state::<Vec<u32>>(&key("alice")).await.unwrap();
        let Some(loaded) = loaded else { continue };
        let (version, state) = (loaded.revision.version, loaded.state);
        assert!(state.iter().all(|number| u64::from(*number) + 1 == version), "{version}");
        assert!(version >= seen, "{version} was seen after {seen}");
        seen = version;
    }
    writing.await.unwrap();
}

#[tokio::test]
async fn who_wrote_a_history_prunes_it_without_reading_it() {
    let server = RedisServer::start();
    let stays = Retention::Versions(20);
    let open = || RedisBackend::builder(&server.url()).history(stays).build().unwrap();
    let rewrite = async |backend: &RedisBackend| {
        let manager = crate::strict(backend.clone());
        for number in 0..100 {
            let mut call = manager.begin::<String>(&key("alice")).await.unwrap();
            call.state = number.to_string().repeat(50);
            call.commit().await.unwrap();
        }
    };
    let is_pruned = async |backend: &RedisBackend| {
        let there = versions(backend).await;
        assert!((20..=40).contains(&there.len()), "{there:?}");
        assert!(there.is_sorted_by(|newer, older| *newer == older + 1), "{there:?}");
        assert!(backend.verify_history(&key("alice")).await.unwrap().is_current);
    };
    let (first, second) = (open(), open());
    rewrite(&first).await;
    let asked: String = server.run(&["INFO", "commandstats"]);
    assert!(asked.contains("cmdstat_xtrim:") && !asked.contains("cmdstat_xrange:"), "{asked}");
    is_pruned(&first).await;
    // Who did not write all of it reads it.
    for backend in [&second, &first, &second] {
        rewrite(backend).await;
        is_pruned(backend).await;
    }
}
