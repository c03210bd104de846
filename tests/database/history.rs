//! What happened to states, and their earlier versions.

use std::time::{Duration, SystemTime};

use cogency_state::{
    Action, Error, Event, HistoryBackend, MemoryBackend, Moment, Retention, StateBackend as _,
    StateKey, StateManager, Write,
};

use cogency_state_tests::ledger::Ledger;

use crate::ledgers::block_on;
use crate::places::Database;
use crate::{key, lease, save, write};

/// One save through a manager, as a call does.
async fn turn(manager: &StateManager, key: &StateKey, turn: usize) {
    let mut call = manager.begin::<Vec<String>>(key).await.unwrap();
    call.state.push(format!("turn {turn}: grüß dich, 日本 {}", "x".repeat(turn % 50)));
    call.commit().await.unwrap();
}

/// That a history and the state agree: each save has its entry, and each version comes back.
pub(crate) fn is_whole(url: &str, user: &str) {
    block_on(async {
        let manager = StateManager::connect(url).await.unwrap();
        let (history, key) = (manager.history(&key(user)), key(user));
        let verified = history.verify().await.unwrap();
        let newest = manager.load_state::<Ledger>(&key).await.unwrap().unwrap();
        assert!(verified.is_current, "{user}");
        assert_eq!(verified.entries, newest.revision.version, "{user}");
        for version in (1..=newest.revision.version).step_by(50) {
            let loaded = history.load::<Ledger>(Moment::Version(version)).await.unwrap().unwrap();
            let first = &newest.state.entries[..loaded.state.entries.len()];
            assert_eq!(loaded.state.entries, first, "{user} at {version}");
        }
    });
}

#[tokio::test]
async fn every_version_comes_back_byte_for_byte() {
    for database in Database::each() {
        let backend = database.connect().await;
        let key = key("alice");
        let mut saved: Vec<Write> = Vec::new();
        let mut text = String::from("{\"count\":0,\"turns\":[");
        for count in 0..60 {
            // It grows, begins anew, grows.
            if count == 40 {
                text = String::from("{\"turns\":[");
            }
            let turn = format!("\"turn {count} \u{1f916} äöü {}\",", "ß".repeat(count));
            text.push_str(&turn);
            let json =
                format!("{}null],\"at\":{count}}}", text.replacen(":0", &format!(":{count}"), 1));
            let lease = lease(&backend, &key).await;
            let before = saved.last().map(|write| &write.record);
            let write = write(&key, before.map(|record| record.revision), json)
                .with_replaced(before.map(|record| record.state.clone()));
            backend.save_and_release(&lease, &write).await.unwrap();
            saved.push(write);
        }
        for write in &saved {
            let version = Moment::Version(write.record.revision.version);
            let found = backend.load_history(&key, version).await.unwrap().unwrap();
            assert_eq!(found, write.record, "{} {version}", database.name);
        }
        let changes = "SELECT COUNT(*) FROM {p}history WHERE kind = 'change'";
        assert!(database.number(changes) > 50, "{}", database.name);
        let verified = backend.verify_history(&key).await.unwrap();
        assert_eq!((verified.entries, verified.is_current), (60, true), "{}", database.name);
    }
}

#[tokio::test]
async fn a_conversation_of_500_turns_and_300_kb_takes_less_than_3_mb_of_history() {
    for database in Database::each() {
        let manager = StateManager::new(database.connect().await);
        let key = key("alice");
        for turn in 0..500 {
            let mut call = manager.begin::<Vec<String>>(&key).await.unwrap();
            let words = (0..60).map(|word| format!("{:x}", turn * 7_919_usize + word * 104_729));
            let text = words.collect::<Vec<_>>().join(" ");
            call.state.push(format!("{text:.600}{turn:200}"));
            call.commit().await.unwrap();
        }
        let newest = &manager.history(&key).list(None, 1).await.unwrap()[0];
        assert!((250_000..400_000).contains(&newest.size), "{}", newest.size);
        let text = if database.name == "sqlite" { "LENGTH" } else { "OCTET_LENGTH" };
        let bytes = database.number(&format!(
            "SELECT CAST(SUM({text}(content) + {text}(metadata) + {text}(hash) + {text}(write_id) \
             + {text}(user_id) + {text}(session_id) + {text}(provider) + {text}(model) \
             + {text}(state_type) + {text}(host) + 80) AS {}) FROM {{p}}history",
            if database.name == "mariadb" { "SIGNED" } else { "BIGINT" }
        ));
        println!("{}: {bytes} bytes", database.name);
        assert!(bytes < 3_000_000, "{}: {bytes}", database.name);
        let bounded = "SELECT MAX(changes) FROM {p}heads";
        assert!(database.number(bounded) < 256);
    }
}

#[tokio::test]
async fn what_happened_is_listed_with_who_and_when_the_newest_first() {
    for database in Database::each() {
        let backend = database.connect().await;
        let key = key("alice");
        let begun = SystemTime::now();
        let first = lease(&backend, &key).await;
        let mut write = write(&key, None, "1").with_action(Action::Reset);
        write.record.metadata.actor = Some("support: ünal".into());
        write.record.metadata.phase_completed = Some("reasoning".into());
        write.record.metadata.llm_model = "gpt".into();
        backend.save_and_release(&first, &write).await.unwrap();
        save(&backend, &key, "22").await;
        let last = lease(&backend, &key).await;
        assert!(backend.delete_state(&last).await.unwrap());
        assert!(!backend.delete_state(&last).await.unwrap());
        backend.release_lease(&last).await.unwrap();

        let entries = backend.list_history(&key, None, 10).await.unwrap();
        let told: Vec<_> = entries
            .iter()
            .map(|entry| (entry.sequence, &entry.event, entry.version, entry.size))
            .collect();
        let due = [(3, &Event::Delete, 2, 0), (2, &Event::Save, 2, 2), (1, &Event::Reset, 1, 1)];
        assert_eq!(told, due, "{}", database.name);
        let entry = &entries[2];
        assert_eq!(entry.actor.as_deref(), Some("support: ünal"));
        assert_eq!(entry.phase.as_deref(), Some("reasoning"));
        assert_eq!(entry.model.as_deref(), Some("gpt"));
        assert_eq!(entry.write_id, Some(write.record.revision.write_id));
        assert_eq!(entry.process, std::process::id());
        assert!(!entry.host.is_empty());
        let hour = Duration::from_secs(3600);
        assert!(entry.at > begun - hour && entry.at < SystemTime::now() + hour, "{:?}", entry.at);
        assert!(entries.windows(2).all(|pair| pair[0].at > pair[1].at));
        // By pages.
        let page = backend.list_history(&key, None, 2).await.unwrap();
        let rest = backend.list_history(&key, Some(page[1].sequence), 2).await.unwrap();
        assert_eq!([page, rest].concat(), entries);
    }
}

#[tokio::test]
async fn a_history_goes_on_when_its_state_was_deleted_and_made_anew() {
    for database in Database::each() {
        let backend = database.connect().await;
        let key = key("alice");
        save(&backend, &key, "\"old\"").await;
        let last = lease(&backend, &key).await;
        backend.delete_state(&last).await.unwrap();
        backend.release_lease(&last).await.unwrap();
        let gone = backend.list_history(&key, None, 1).await.unwrap().remove(0);
        assert_eq!(backend.load_history(&key, Moment::from(&gone)).await.unwrap(), None);
        save(&backend, &key, "\"new\"").await;
        let loaded = async |moment| {
            let found = backend.load_history(&key, moment).await.unwrap();
            found.map(|found| String::from_utf8(found.state.to_vec()).unwrap())
        };
        assert_eq!(loaded(Moment::Entry(1)).await.as_deref(), Some("\"old\""));
        assert_eq!(loaded(Moment::Entry(3)).await.as_deref(), Some("\"new\""));
        assert_eq!(loaded(Moment::Version(1)).await.as_deref(), Some("\"new\""));
        assert_eq!(loaded(Moment::Time(gone.at)).await, None, "{}", database.name);
        assert_eq!(loaded(Moment::Time(SystemTime::UNIX_EPOCH)).await, None);
        let now = SystemTime::now() + Duration::from_secs(3600);
        assert_eq!(loaded(Moment::Time(now)).await.as_deref(), Some("\"new\""));
        assert_eq!(backend.verify_history(&key).await.unwrap().entries, 3);
    }
}

#[tokio::test]
async fn a_save_that_is_repeated_has_one_entry() {
    for database in Database::each() {
        let backend = database.connect().await;
        let key = key("alice");
        let held = lease(&backend, &key).await;
        let write = write(&key, None, "1");
        for _ in 0..3 {
            backend.save_state(&held, &write).await.unwrap();
        }
        backend.save_and_release(&held, &write).await.unwrap();
        // Also under another lease, which knows where the history stands.
        let next = lease(&backend, &key).await;
        backend.save_and_release(&next, &write).await.unwrap();
        assert_eq!(database.number("SELECT COUNT(*) FROM {p}history"), 1, "{}", database.name);
        backend.verify_history(&key).await.unwrap();
    }
}

/// Nothing is made up, and nothing is lost: the state itself is as it was.
#[tokio::test]
async fn a_version_whose_change_was_edited_is_not_loaded() {
    for database in Database::each() {
        let manager =
            StateManager::new(database.builder().whole_up_to(1 << 16).connect().await.unwrap());
        let key = key("alice");
        for number in 1..=8 {
            turn(&manager, &key, number).await;
        }
        database.run("UPDATE {p}history SET content = REPLACE(content, 'turn 8', 'turn 9')");
        let history = manager.history(&key);
        let edited = history.restore(Moment::Version(8)).await;
        assert!(matches!(edited, Err(Error::HistoryBroken { sequence: 8, .. })), "{edited:?}");
        let whole = history.load::<Vec<String>>(Moment::Version(7)).await.unwrap();
        assert_eq!(whole.unwrap().state.len(), 7, "{}", database.name);
        turn(&manager, &key, 9).await;
        assert_eq!(manager.load_state::<Vec<String>>(&key).await.unwrap().unwrap().state.len(), 9);
    }
}

/// A save or delete whose history went on meanwhile looks again.
#[tokio::test]
async fn a_history_that_is_pruned_under_a_lease_is_continued() {
    for database in Database::each() {
        let backend = database.connect().await;
        let key = key("alice");
        for number in 0..4 {
            save(&backend, &key, &number.to_string()).await;
        }
        let held = lease(&backend, &key).await;
        let found = backend.load_state(&key).await.unwrap().unwrap();
        assert_eq!(backend.prune_history(&key, Retention::Versions(2)).await.unwrap(), 2);
        let write = write(&key, Some(found.revision), "4").with_replaced(Some(found.state));
        backend.save_state(&held, &write).await.unwrap();
        assert_eq!(backend.prune_history(&key, Retention::Versions(1)).await.unwrap(), 3);
        assert!(backend.delete_state(&held).await.unwrap());
        backend.verify_history(&key).await.unwrap();
        let events = backend.list_history(&key, None, 9).await.unwrap();
        let events: Vec<_> = events.iter().map(|entry| entry.event.as_str()).collect();
        assert_eq!(events, ["delete", "prune", "save"], "{}", database.name);
    }
}

#[tokio::test]
async fn pruning_leaves_whole_versions_and_a_history_that_verifies() {
    for database in Database::each() {
        let manager = StateManager::new(database.connect().await);
        let key = key("alice");
        let history = manager.history(&key);
        for number in 1..=30 {
            turn(&manager, &key, number).await;
        }
        assert_eq!(history.prune(Retention::All).await.unwrap(), 0);
        assert_eq!(history.prune(Retention::Age(Duration::from_secs(3600))).await.unwrap(), 0);
        history.prune(Retention::Versions(5)).await.unwrap();
        for version in 26..=30 {
            let loaded = history.load::<Vec<String>>(Moment::Version(version)).await.unwrap();
            assert_eq!(loaded.unwrap().state.len() as u64, version, "{}", database.name);
        }
        history.verify().await.unwrap();
        // A new keyframe lets the others go.
        manager
            .save_state(&key, vec!["short".to_owned()], {
                manager.load_state::<Vec<String>>(&key).await.unwrap().map(|loaded| loaded.revision)
            })
            .await
            .unwrap();
        assert!(history.prune(Retention::Versions(1)).await.unwrap() > 20, "{}", database.name);
        let verified = history.verify().await.unwrap();
        let rows = database.number("SELECT COUNT(*) FROM {p}history");
        assert_eq!(verified.entries, u64::try_from(rows).unwrap());
        let gone = history.load::<Vec<String>>(Moment::Version(30)).await;
        assert!(matches!(gone, Err(Error::NoSuchVersion { .. })), "{gone:?}");
        let gone = history.load::<Vec<String>>(SystemTime::UNIX_EPOCH).await;
        assert!(matches!(gone, Err(Error::NoSuchVersion { .. })), "{gone:?}");
        turn(&manager, &key, 31).await;
        history.verify().await.unwrap();
        history.prune(Retention::Age(Duration::ZERO)).await.unwrap();
        history.verify().await.unwrap();
    }
}

#[tokio::test]
async fn saves_prune_what_the_url_does_not_keep() {
    for database in Database::each() {
        let url = format!("{}&history=3", database.full_url());
        let manager = StateManager::connect(&url).await.unwrap();
        let key = key("alice");
        for number in 0..20 {
            // Nothing is alike: each is a keyframe.
            let expected = manager.load_state::<String>(&key).await.unwrap();
            let text = format!("{number}").repeat(20);
            manager.save_state(&key, text, expected.map(|found| found.revision)).await.unwrap();
        }
        let states = "SELECT COUNT(*) FROM {p}history WHERE kind <> 'note'";
        assert_eq!(database.number(states), 3, "{}", database.name);
        manager.history(&key).verify().await.unwrap();
    }
}

#[tokio::test]
async fn histories_are_kept_as_long_as_their_keys_say() {
    for database in Database::each() {
        let builder = database.builder().history(Retention::Versions(4));
        let backend = builder
            .history_of(|key| key.user_id().starts_with("trial-"), Retention::Versions(2))
            .history_of(|key| key.user_id() == "trial-eve", Retention::Versions(1))
            .history_of(|key| key.user_id() == "audited", Retention::All)
            .connect()
            .await
            .unwrap();
        for (user, stays) in [("alice", 4), ("trial-bob", 2), ("trial-eve", 2), ("audited", 9)] {
            for number in 0..9 {
                save(&backend, &key(user), &number.to_string()).await;
            }
            let states = "SELECT COUNT(*) FROM {p}history WHERE kind <> 'note' AND user_id";
            assert_eq!(database.number(&format!("{states} = '{user}'")), stays, "{user}");
            backend.verify_history(&key(user)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_version_is_restored_as_a_new_one_and_forked_into_another_key() {
    for database in Database::each() {
        let manager = StateManager::new(database.connect().await);
        let (alice, bob) = (key("alice"), key("bob"));
        for number in 0..3 {
            turn(&manager, &alice, number).await;
        }
        let history = manager.history(&alice);
        let revision = history.restore(Moment::Version(1)).await.unwrap();
        assert_eq!(revision.version, 4);
        let restored = manager.load_state::<Vec<String>>(&alice).await.unwrap().unwrap();
        assert_eq!((restored.state.len(), restored.revision), (1, revision));
        assert_eq!(history.list(None, 1).await.unwrap()[0].event, Event::Restore);

        history.fork(Moment::Version(3), &bob).await.unwrap();
        let forked = manager.load_state::<Vec<String>>(&bob).await.unwrap().unwrap();
        assert_eq!((forked.state.len(), forked.revision.version), (3, 1));
        assert_eq!(manager.history(&bob).list(None, 9).await.unwrap()[0].event, Event::Fork);
        let again = history.fork(Moment::Version(2), &bob).await;
        assert!(matches!(again, Err(Error::Conflict { expected: 0, found: 1, .. })), "{again:?}");

        // A state that is gone comes back too.
        manager.delete_state(&alice).await.unwrap();
        history.restore(Moment::Entry(2)).await.unwrap();
        assert_eq!(
            manager.load_state::<Vec<String>>(&alice).await.unwrap().unwrap().state.len(),
            2
        );
        turn(&manager, &alice, 9).await;
        for (key, entries) in [(&alice, 7), (&bob, 1)] {
            let verified = manager.history(key).verify().await.unwrap();
            assert_eq!((verified.entries, verified.is_current), (entries, true));
        }
        let none = history.restore(Moment::Version(77)).await;
        assert!(matches!(none, Err(Error::NoSuchVersion { .. })), "{none:?}");
        turn(&manager, &alice, 10).await;
    }
}

#[tokio::test]
async fn two_versions_are_compared() {
    let database = Database::sqlite();
    let manager = StateManager::new(database.connect().await);
    let key = key("alice");
    turn(&manager, &key, 0).await;
    turn(&manager, &key, 1).await;
    let found = manager.history(&key).diff(Moment::Version(1), Moment::Version(2)).await.unwrap();
    let told: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["[1]: added \"turn 1: grüß dich, 日本 x\""]);
    assert!(!format!("{found:?}").contains("turn"));
}

#[tokio::test]
async fn where_no_history_is_kept_that_is_said_and_nothing_is_written() {
    for database in Database::each() {
        let backend = database.builder().without_history().connect().await.unwrap();
        let off = format!("{}&history=off", database.full_url());
        assert!(!backend.capabilities().history && backend.history().is_none());
        let key = key("alice");
        for manager in [StateManager::new(backend), StateManager::connect(&off).await.unwrap()] {
            turn(&manager, &key, 0).await;
            let none = manager.history(&key).list(None, 1).await.unwrap_err();
            assert!(matches!(none, Error::NoHistory { .. }), "{none:?}");
        }
        assert_eq!(database.number("SELECT COUNT(*) FROM {p}history"), 0, "{}", database.name);
        // Whoever keeps one begins with the state that is there.
        let manager = StateManager::new(database.connect().await);
        turn(&manager, &key, 1).await;
        let entry = &manager.history(&key).list(None, 9).await.unwrap()[0];
        assert_eq!((entry.sequence, entry.version), (1, 3), "{}", database.name);
        manager.history(&key).verify().await.unwrap();
        // What is saved without one is seen, and gone on from.
        turn(&StateManager::connect(&off).await.unwrap(), &key, 2).await;
        assert!(!manager.history(&key).verify().await.unwrap().is_current);
        turn(&manager, &key, 3).await;
        assert!(manager.history(&key).verify().await.unwrap().is_current);
        let loaded = manager.history(&key).load::<Vec<String>>(Moment::Version(5)).await.unwrap();
        assert_eq!(loaded.unwrap().state.len(), 5);
    }
    let manager = StateManager::new(MemoryBackend::new().without_history());
    let error = manager.history(&key("alice")).verify().await.unwrap_err();
    assert!(error.to_string().contains("no history is kept in memory:"), "{error}");
}

/// Also where the record was removed by other means, and where the writers of its history keep one.
#[tokio::test]
async fn what_others_kept_is_erased_by_those_who_keep_no_history() {
    for database in Database::each() {
        let keeps = StateManager::new(database.connect().await);
        let off = StateManager::new(database.builder().without_history().connect().await.unwrap());
        for is_removed in [false, true] {
            turn(&keeps, &key("alice"), 0).await;
            turn(&keeps, &key("alice"), 1).await;
            turn(&keeps, &key("bob"), 0).await;
            if is_removed {
                database.run("DELETE FROM {p}states WHERE user_id = 'alice'");
            }
            assert!(off.erase(&key("alice")).await.unwrap(), "{}", database.name);
            let left = "SELECT COUNT(*) FROM {p}history WHERE user_id = 'alice'";
            assert_eq!(database.number(left), 0, "{}", database.name);
            assert!(!off.erase(&key("alice")).await.unwrap(), "{}", database.name);
        }
        keeps.history(&key("alice")).verify().await.unwrap();
        let of_bob = keeps.history(&key("bob")).verify().await.unwrap();
        assert!(of_bob.is_current && of_bob.entries == 2, "{}: {of_bob:?}", database.name);
    }
}
