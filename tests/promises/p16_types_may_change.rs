//! 16. Types may change: older states are migrated when they are loaded, newer ones are refused.

use std::cell::Cell;
use std::error::Error as _;

use cogency_state::{CheckReport, Error, Migrations, Record, StateManager, robust};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::places::{Place, key, on_every_backend};

mod v1 {
    #[derive(Default, serde::Serialize, serde::Deserialize)]
    pub(super) struct Chat {
        pub(super) lines: Vec<String>,
    }
}

mod v2 {
    #[derive(Default, serde::Serialize, serde::Deserialize)]
    pub(super) struct Chat {
        pub(super) turns: Vec<String>,
    }
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Chat {
    turns: Vec<Turn>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Turn {
    text: String,
    /// Larger than a JSON value can hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<u128>,
}

fn turn(text: &str) -> Turn {
    Turn { text: text.to_owned(), id: None }
}

fn chat_migrations() -> Migrations {
    Migrations::new()
        .step(1, |mut old| {
            let lines = old.get_mut("lines").ok_or("it has no lines")?.take();
            Ok(json!({ "turns": lines }))
        })
        .step_from(2, |old: v2::Chat| {
            Ok(Chat { turns: old.turns.iter().map(|text| turn(text)).collect() })
        })
}

#[robust(persist = manager, version = 3, migrate = chat_migrations, retry = 3, backoff = "0ms")]
async fn say(
    state: &mut Chat,
    manager: &StateManager,
    user_id: &str,
    failures: &Cell<u32>,
) -> Result<usize, Error> {
    state.turns.push(turn("new"));
    if failures.get() > 0 {
        failures.set(failures.get() - 1);
        return Err(Error::NoRuntime);
    }
    Ok(state.turns.len())
}

async fn say_once(manager: &StateManager) -> Result<usize, Error> {
    say(manager, "alice", &Cell::new(0)).await
}

/// A state with these lines, of a program that counts no versions.
async fn save_v1(place: &Place, user_id: &str, lines: &[&str]) -> Record {
    let lines = lines.iter().map(|&line| line.to_owned()).collect();
    let chat = v1::Chat { lines };
    place.manager().save_state(&key(user_id), chat, None).await.unwrap();
    stored(place, user_id).await
}

async fn stored(place: &Place, user_id: &str) -> Record {
    place.manager().backend().load_state(&key(user_id)).await.unwrap().unwrap()
}

fn json_of(record: &Record) -> Value {
    serde_json::from_slice(&record.state).unwrap()
}

/// A manager that knows these migrations.
fn with(place: &Place, migrations: Migrations) -> StateManager {
    place.builder().migrations::<Chat>(migrations).build()
}

/// Loads and calls fail in this way, and leave what is stored.
async fn refused(place: &Place, migrations: Migrations, is_due: fn(&Error) -> bool) {
    let before = stored(place, "alice").await;
    let manager = with(place, migrations);
    let error = manager.load_state::<Chat>(&key("alice")).await.unwrap_err();
    assert!(is_due(&error), "{error:?}");
    let error = manager.begin::<Chat>(&key("alice")).await.unwrap_err();
    assert!(is_due(&error), "{error:?}");
    // The key is free again.
    let error = manager.begin::<Chat>(&key("alice")).await.unwrap_err();
    assert!(is_due(&error), "{error:?}");
    assert_eq!(stored(place, "alice").await, before);
}

on_every_backend! {
    async fn an_older_state_is_migrated_when_it_is_loaded_and_saved_with_the_next_save(place: Place) {
        let old = save_v1(&place, "alice", &["hello"]).await;
        assert_eq!(old.metadata.state_version, None);

        let manager = with(&place, chat_migrations());
        let loaded = manager.load_state::<Chat>(&key("alice")).await.unwrap().unwrap();
        assert_eq!(loaded.state.turns, [turn("hello")]);
        assert_eq!(stored(&place, "alice").await, old);

        assert_eq!(say_once(&place.manager()).await.unwrap(), 2);
        let new = stored(&place, "alice").await;
        assert_eq!(new.metadata.state_version, Some(3));
        assert_eq!(new.revision.version, 2);
        assert_eq!(json_of(&new), json!({ "turns": [{ "text": "hello" }, { "text": "new" }] }));
    }

    async fn a_state_between_the_first_version_and_todays_takes_the_steps_that_are_left(place: Place) {
        let first_step = Migrations::new().step(1, |_| Err("it is past that".into()));
        let v2 = place.builder().migrations::<v2::Chat>(first_step).build();
        let chat = v2::Chat { turns: vec!["hello".to_owned()] };
        v2.save_state(&key("alice"), chat, None).await.unwrap();
        assert_eq!(stored(&place, "alice").await.metadata.state_version, Some(2));
        assert_eq!(say_once(&place.manager()).await.unwrap(), 2);
    }

    async fn a_call_that_fails_leaves_the_older_state(place: Place) {
        let old = save_v1(&place, "alice", &["hello"]).await;
        say(&place.manager(), "alice", &Cell::new(3)).await.unwrap_err();
        assert_eq!(stored(&place, "alice").await, old);
    }

    async fn every_attempt_starts_from_the_migrated_state(place: Place) {
        save_v1(&place, "alice", &["hello"]).await;
        assert_eq!(say(&place.manager(), "alice", &Cell::new(2)).await.unwrap(), 2);
    }

    async fn a_large_state_is_migrated_too(place: Place) {
        let long = "x".repeat(1 << 20);
        save_v1(&place, "alice", &[&long, "short"]).await;
        let manager = place.manager();
        assert_eq!(say_once(&manager).await.unwrap(), 3);
        assert_eq!(say_once(&manager).await.unwrap(), 4);
        let loaded = manager.load_state::<Chat>(&key("alice")).await;
        assert!(matches!(loaded, Err(Error::StateVersion { .. })), "{loaded:?}");
        let loaded = with(&place, chat_migrations()).load_state::<Chat>(&key("alice")).await;
        assert_eq!(loaded.unwrap().unwrap().state.turns[0].text, long);
    }

    async fn a_warm_state_of_another_version_is_not_taken_for_todays(place: Place) {
        #[robust(persist = manager, version = 1)]
        async fn before(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<(), Error> {
            *state += 1;
            Ok(())
        }
        fn times_ten() -> Migrations {
            Migrations::new().step_from(1, |old: u32| Ok(old * 10))
        }
        #[robust(persist = manager, version = 2, migrate = times_ten)]
        async fn after(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<u32, Error> {
            *state += 1;
            Ok(*state)
        }
        let manager = place.manager();
        before(&manager, "alice").await.unwrap();
        assert_eq!(after(&manager, "alice").await.unwrap(), 11);
        assert_eq!(after(&manager, "alice").await.unwrap(), 12);
        let error = before(&manager, "alice").await.unwrap_err();
        assert!(matches!(error, Error::StateVersion { found: 2, supported: 1, .. }), "{error}");
    }

    async fn calls_by_hand_migrate_and_count_as_functions_do(place: Place) {
        save_v1(&place, "alice", &["hello"]).await;
        let manager = with(&place, chat_migrations());
        let mut call = manager.begin::<Chat>(&key("alice")).await.unwrap();
        call.state.turns.push(turn("by hand"));
        call.commit().await.unwrap();
        assert_eq!(stored(&place, "alice").await.metadata.state_version, Some(3));

        let loaded = manager.load_state::<Chat>(&key("alice")).await.unwrap().unwrap();
        assert_eq!(loaded.state.turns.len(), 2);
        manager.save_state(&key("alice"), loaded.state, Some(loaded.revision)).await.unwrap();
        let last = stored(&place, "alice").await;
        assert_eq!((last.metadata.state_version, last.revision.version), (Some(3), 3));
    }

    async fn a_function_that_says_no_version_does_as_its_manager_says(place: Place) {
        #[robust(persist = manager)]
        async fn count(state: &mut Chat, manager: &StateManager, user_id: &str) -> Result<usize, Error> {
            Ok(state.turns.len())
        }
        save_v1(&place, "alice", &["hello"]).await;
        assert_eq!(count(&with(&place, chat_migrations()), "alice").await.unwrap(), 1);
        assert_eq!(stored(&place, "alice").await.metadata.state_version, Some(3));
    }

    async fn a_program_that_counts_no_versions_writes_none(place: Place) {
        let manager = place.manager();
        manager.save_state(&key("alice"), Chat::default(), None).await.unwrap();
        manager.begin::<Chat>(&key("alice")).await.unwrap().commit().await.unwrap();
        assert_eq!(stored(&place, "alice").await.metadata.state_version, None);
    }

    async fn a_missing_step_is_refused_and_the_state_is_left(place: Place) {
        save_v1(&place, "alice", &["hello"]).await;
        let only_the_last = Migrations::new().step_from(2, |old: v2::Chat| Ok(old));
        refused(&place, only_the_last, |error| {
            matches!(error, Error::NoMigration { found: 1, from: 1, .. })
        })
        .await;
        let only_the_first = Migrations::new().step(1, Ok).step(3, Ok);
        refused(&place, only_the_first, |error| {
            matches!(error, Error::NoMigration { found: 1, from: 2, .. })
        })
        .await;
    }

    async fn a_failing_step_is_refused_with_its_error_and_the_state_is_left(place: Place) {
        save_v1(&place, "alice", &["hello"]).await;
        let failing = Migrations::new().step(1, |_| Err("out of luck".into()));
        refused(&place, failing, |error| {
            matches!(error, Error::Migration { from: 1, .. })
                && error.source().is_some_and(|source| source.to_string() == "out of luck")
        })
        .await;
    }

    async fn what_a_step_cannot_read_is_told_without_the_contents(place: Place) {
        save_v1(&place, "alice", &["hunter2"]).await;
        let steps = [
            Migrations::new().step_from(1, |old: Vec<u32>| Ok(old)),
            Migrations::new().step(1, |mut old| {
                let numbers: Vec<u32> = serde_json::from_value(old["lines"].take())?;
                Ok(json!({ "turns": numbers }))
            }),
            // A result that is no `Chat`.
            Migrations::new().step(1, |old| Ok(json!({ "turns": old["lines"] }))),
        ];
        for migrations in steps {
            refused(&place, migrations, |error| {
                let shown = format!("{error} {error:?} {:?}", error.source());
                assert!(!shown.contains("hunter2"), "{shown}");
                matches!(error, Error::Migration { from: 1, .. } | Error::StateType { .. })
            })
            .await;
        }
    }

    async fn an_integer_that_a_value_would_round_is_refused_and_goes_from_type_to_type(place: Place) {
        let chat = Chat { turns: vec![Turn { text: String::new(), id: Some(u128::MAX) }] };
        place.manager().save_state(&key("alice"), chat, None).await.unwrap();
        refused(&place, Migrations::new().step(1, Ok), |error| {
            matches!(error, Error::Migration { from: 1, .. })
        })
        .await;
        let typed = with(&place, Migrations::new().step_from(1, |old: Chat| Ok(old)));
        let loaded = typed.load_state::<Chat>(&key("alice")).await.unwrap().unwrap();
        assert_eq!(loaded.state.turns[0].id, Some(u128::MAX));
    }

    async fn a_panic_in_a_step_loses_nothing_and_the_key_is_free(place: Place) {
        for long in [0, 1 << 20] {
            let user_id = format!("alice{long}");
            let text = "x".repeat(long);
            let old = save_v1(&place, &user_id, &[&text]).await;
            let panicking = with(&place, Migrations::new().step(1, |_| panic!("in a step")));
            let (manager, alice) = (panicking.clone(), key(&user_id));
            let call = tokio::spawn(async move { manager.begin::<Chat>(&alice).await.map(drop) });
            assert!(call.await.unwrap_err().is_panic());
            assert_eq!(stored(&place, &user_id).await, old);
            let call = with(&place, chat_migrations()).begin::<Chat>(&key(&user_id)).await.unwrap();
            assert_eq!(call.state.turns.len(), 1);
        }
    }

    async fn a_state_of_a_newer_version_is_refused_and_left(place: Place) {
        with(&place, chat_migrations()).save_state(&key("alice"), Chat::default(), None).await.unwrap();
        let old = Migrations::new().step(1, Ok);
        let is_newer = |error: &Error| matches!(error, Error::StateVersion { found: 3, .. });
        refused(&place, old, is_newer).await;
        // A program of before versions were counted has the first.
        refused(&place, Migrations::new(), is_newer).await;
        let error = place.manager().begin::<Chat>(&key("alice")).await.unwrap_err();
        assert!(matches!(error, Error::StateVersion { found: 3, supported: 1, .. }), "{error}");
    }

    async fn a_renamed_type_keeps_its_states_by_its_old_name(place: Place) {
        #[derive(Default, Serialize, Deserialize)]
        struct Talk {
            turns: Vec<Turn>,
        }
        let manager = place.manager();
        manager.save_state(&key("alice"), Chat { turns: vec![turn("hello")] }, None).await.unwrap();
        let error = manager.begin::<Talk>(&key("alice")).await.unwrap_err();
        assert!(matches!(error, Error::StateType { .. }), "{error}");

        let renamed = Migrations::new().was(std::any::type_name::<Chat>());
        let manager = place.builder().migrations::<Talk>(renamed).build();
        let call = manager.begin::<Talk>(&key("alice")).await.unwrap();
        assert_eq!(call.state.turns.len(), 1);
        call.commit().await.unwrap();
        // From now on it is one of the new name.
        assert_eq!(place.manager().begin::<Talk>(&key("alice")).await.unwrap().state.turns.len(), 1);
    }

    async fn the_type_that_a_step_starts_from_is_known_by_its_name(place: Place) {
        #[derive(Default, Serialize, Deserialize)]
        struct Talk {
            words: Vec<String>,
        }
        save_v1(&place, "alice", &["hello"]).await;
        let steps = Migrations::new().step_from(1, |old: v1::Chat| Ok(Talk { words: old.lines }));
        let manager = place.builder().migrations::<Talk>(steps).build();
        assert_eq!(manager.begin::<Talk>(&key("alice")).await.unwrap().state.words, ["hello"]);
    }

    async fn a_moved_type_that_would_lose_something_after_its_migrations_is_refused(place: Place) {
        save_v1(&place, "alice", &["hello"]).await;
        let more = Migrations::new().step(1, |_| Ok(json!({ "turns": [], "mood": "good" })));
        refused(&place, more, |error| matches!(error, Error::StateType { .. })).await;
    }

    async fn steps_that_do_not_fit_the_version_are_refused(place: Place) {
        #[robust(persist = manager, version = 2, migrate = chat_migrations)]
        async fn behind(_state: &mut Chat, manager: &StateManager, user_id: &str) -> Result<(), Error> {
            Ok(())
        }
        save_v1(&place, "alice", &["hello"]).await;
        let error = behind(&place.manager(), "alice").await.unwrap_err();
        assert!(matches!(error, Error::Config { .. }), "{error}");
        let mistakes = [Migrations::new().step(1, Ok).step(1, Ok), Migrations::new().step(0, Ok).step(1, Ok)];
        for migrations in mistakes {
            refused(&place, migrations, |error| matches!(error, Error::Config { .. })).await;
        }
    }

    async fn check_tells_what_would_not_load_and_changes_nothing(place: Place) {
        let manager = place.manager();
        let counted = with(&place, chat_migrations());
        for user in 0..300 {
            save_v1(&place, &format!("old{user}"), &["hello"]).await;
        }
        for user in ["new/1", "new:2"] {
            counted.save_state(&key(user), Chat::default(), None).await.unwrap();
        }
        manager.save_state(&key("planner"), vec![1_u32], None).await.unwrap();
        manager.save_state(&key("strange"), v2::Chat::default(), None).await.unwrap();
        let before = [stored(&place, "old1").await, stored(&place, "strange").await];

        let mut told = Vec::new();
        let progress = |so_far: &CheckReport| told.push(so_far.checked());
        let report = manager.check::<Chat>(&chat_migrations(), progress).await.unwrap();
        assert_eq!((report.current, report.migrated, report.of_other_types), (2, 300, 1), "{report}");
        let [failure] = &report.failures[..] else { panic!("{report}") };
        assert_eq!(failure.key, key("strange"));
        assert!(matches!(failure.error, Error::Migration { from: 1, .. }), "{report}");
        assert!(told.len() > 1 && told.is_sorted(), "{told:?}");
        assert_eq!([stored(&place, "old1").await, stored(&place, "strange").await], before);
    }

    async fn check_reports_a_step_that_panics(place: Place) {
        save_v1(&place, "alice", &["panic"]).await;
        save_v1(&place, "bob", &["hello"]).await;
        let migrations = Migrations::new().step(1, |old| {
            assert_ne!(old["lines"], json!(["panic"]));
            Ok(json!({ "turns": [] }))
        });
        let report = place.manager().check::<Chat>(&migrations, |_| {}).await.unwrap();
        assert_eq!((report.migrated, report.failures.len()), (1, 1), "{report}");
        assert_eq!(report.failures[0].key, key("alice"));
    }
}

#[tokio::test]
async fn check_reports_what_is_damaged() {
    for place in Place::with_texts() {
        save_v1(&place, "alice", &["hello"]).await;
        save_v1(&place, "bob", &["hello"]).await;
        place.put_document("alice", "{");
        let report = place.manager().check::<Chat>(&chat_migrations(), |_| {}).await.unwrap();
        assert_eq!((report.migrated, report.failures.len()), (1, 1), "{report}");
        assert!(matches!(report.failures[0].error, Error::Corrupt { .. }), "{report}");
    }
}
