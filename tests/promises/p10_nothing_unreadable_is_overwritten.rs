//! 10. Nothing unreadable is overwritten: it is refused, and left as it is.

use cogency_state::{Error, StateManager, robust};
use serde::{Deserialize, Serialize};

use crate::places::{Place, key, on_every_backend};

mod chat {
    use super::{Deserialize, Serialize};

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    pub(super) struct State {
        pub(super) turns: Vec<String>,
    }
}

/// Another agent's state of the same name, that would read the first one and lose its turns.
mod planner {
    use super::{Deserialize, Serialize};

    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(default)]
    pub(super) struct State {
        pub(super) plans: Vec<String>,
    }
}

/// The first one, moved to another module.
mod moved {
    use super::{Deserialize, Serialize};

    #[derive(Debug, Default, Serialize, Deserialize)]
    pub(super) struct State {
        pub(super) turns: Vec<String>,
    }
}

/// A state with sets and lists, before and after it was moved.
mod tagged {
    pub(super) mod before {
        use std::collections::HashSet;

        #[derive(Default, serde::Serialize, serde::Deserialize)]
        pub(crate) struct State {
            pub(crate) tags: HashSet<u32>,
            pub(crate) turns: Vec<Turn>,
            pub(crate) note: Option<String>,
        }

        #[derive(Default, serde::Serialize, serde::Deserialize)]
        pub(crate) struct Turn {
            pub(crate) words: u32,
            pub(crate) role: Option<String>,
        }
    }

    /// With new fields, and without what stood for nothing.
    pub(super) mod grown {
        use std::collections::HashSet;

        #[derive(Default, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub(crate) struct State {
            pub(crate) at: u64,
            pub(crate) tags: HashSet<u32>,
            pub(crate) turns: Vec<Turn>,
        }

        #[derive(Default, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub(crate) struct Turn {
            pub(crate) cost: f64,
            pub(crate) words: u32,
            #[serde(skip_serializing_if = "Option::is_none")]
            pub(crate) role: Option<String>,
        }
    }

    /// With turns that have lost their roles.
    pub(super) mod shrunk {
        use std::collections::HashSet;

        #[derive(Default, serde::Serialize, serde::Deserialize)]
        pub(crate) struct State {
            pub(crate) tags: HashSet<u32>,
            pub(crate) turns: Vec<Turn>,
            pub(crate) note: Option<String>,
        }

        #[derive(Default, serde::Serialize, serde::Deserialize)]
        pub(crate) struct Turn {
            pub(crate) words: u32,
        }
    }
}

/// A tagged state with two turns.
async fn tagged(manager: &StateManager, role: Option<String>) {
    use tagged::before::{State, Turn};
    let turns = vec![Turn { words: 2, role }, Turn { words: 1, role: None }];
    let state = State { tags: (0..100).collect(), turns, note: None };
    manager.save_state(&key("tagged"), state, None).await.unwrap();
}

#[robust(persist = manager)]
async fn say(
    state: &mut chat::State,
    manager: &StateManager,
    user_id: &str,
) -> Result<usize, Error> {
    state.turns.push("hello".to_owned());
    Ok(state.turns.len())
}

async fn state_is_intact(place: &Place) {
    let loaded = place.manager().load_state::<chat::State>(&key("alice")).await.unwrap().unwrap();
    assert_eq!(loaded.state, chat::State { turns: vec!["hello".to_owned()] });
}

on_every_backend! {
    async fn a_type_that_was_moved_and_has_new_fields_keeps_its_states(place: Place) {
        let manager = place.manager();
        tagged(&manager, Some("user".to_owned())).await;
        let mut call = manager.begin::<tagged::grown::State>(&key("tagged")).await.unwrap();
        assert_eq!((call.state.tags.len(), call.state.turns.len(), call.state.at), (100, 2, 0));
        assert!(call.state.turns[0].words == 2 && call.state.turns[0].role.is_some());
        call.state.at = 7;
        call.commit().await.unwrap();
        let manager = place.manager();
        let call = manager.begin::<tagged::grown::State>(&key("tagged")).await.unwrap();
        assert_eq!((call.state.tags.len(), call.state.at), (100, 7));
        call.rollback().await;
    }

    async fn a_type_that_was_moved_and_would_lose_something_deep_inside_is_refused(place: Place) {
        let manager = place.manager();
        tagged(&manager, Some("user".to_owned())).await;
        let error = manager.begin::<tagged::shrunk::State>(&key("tagged")).await.unwrap_err();
        assert!(matches!(error, Error::StateType { .. }), "{error}");
        let loaded = manager.load_state::<tagged::before::State>(&key("tagged")).await.unwrap();
        let tagged::before::State { turns, note, .. } = loaded.unwrap().state;
        assert!(turns[0].role.is_some() && note.is_none());
    }

    async fn a_state_of_another_type_is_refused_and_left(place: Place) {
        let manager = place.manager();
        say(&manager, "alice").await.unwrap();
        let error = manager.begin::<Vec<String>>(&key("alice")).await.unwrap_err();
        let Error::StateType { stored, expected, .. } = &error else { panic!("{error}") };
        assert!(stored.ends_with("chat::State") && expected.contains("Vec"), "{error}");
        state_is_intact(&place).await;
    }

    async fn a_type_of_the_same_name_that_would_lose_something_is_refused(place: Place) {
        let manager = place.manager();
        say(&manager, "alice").await.unwrap();
        let error = manager.begin::<planner::State>(&key("alice")).await.unwrap_err();
        assert!(matches!(error, Error::StateType { .. }), "{error}");
        state_is_intact(&place).await;
    }

    async fn a_type_that_was_moved_keeps_its_states(place: Place) {
        let manager = place.manager();
        say(&manager, "alice").await.unwrap();
        let mut call = manager.begin::<moved::State>(&key("alice")).await.unwrap();
        call.state.turns.push("moved".to_owned());
        call.commit().await.unwrap();
        assert_eq!(place.manager().begin::<moved::State>(&key("alice")).await.unwrap().state.turns.len(), 2);
    }
}

/// Each with a record that somebody damaged, as it is stored.
async fn refused_and_left(damage: impl Fn(String) -> String, is_expected: fn(&Error) -> bool) {
    refused_and_left_in(Place::with_texts(), damage, is_expected).await;
}

/// The same where a record is a document.
async fn document_refused_and_left(
    damage: impl Fn(String) -> String,
    is_expected: fn(&Error) -> bool,
) {
    refused_and_left_in(Place::with_documents().into(), damage, is_expected).await;
}

async fn refused_and_left_in(
    places: Vec<Place>,
    damage: impl Fn(String) -> String,
    is_expected: fn(&Error) -> bool,
) {
    for place in places {
        refused_and_left_at(place, &damage, is_expected).await;
    }
}

async fn refused_and_left_at(
    place: Place,
    damage: impl Fn(String) -> String,
    is_expected: fn(&Error) -> bool,
) {
    let warm = place.manager();
    say(&warm, "alice").await.unwrap();
    let damaged = damage(place.document("alice"));
    place.put_document("alice", &damaged);
    for manager in [warm, place.manager()] {
        let error = say(&manager, "alice").await.unwrap_err();
        assert!(is_expected(&error), "{error:?}");
        let error = manager.load_state::<chat::State>(&key("alice")).await.unwrap_err();
        assert!(is_expected(&error), "{error:?}");
        let error =
            manager.save_state(&key("alice"), chat::State::default(), None).await.unwrap_err();
        assert!(is_expected(&error), "{error:?}");
        assert_eq!(place.document("alice"), damaged);
    }
    // Listed all the same, and deleted when asked to.
    let manager = place.manager();
    assert_eq!(manager.list_states("alice").await.unwrap(), [key("alice")]);
    assert!(manager.delete_state(&key("alice")).await.unwrap());
    assert_eq!(say(&manager, "alice").await.unwrap(), 1);
}

fn is_corrupt(error: &Error) -> bool {
    matches!(error, Error::Corrupt { .. })
}

#[tokio::test]
async fn a_document_that_is_cut_off_is_refused_and_left() {
    refused_and_left(|text| text[..text.len() - 10].to_owned(), is_corrupt).await;
    refused_and_left(|text| text[..40].to_owned(), is_corrupt).await;
}

#[tokio::test]
async fn an_empty_document_is_refused_and_left() {
    refused_and_left(|_| String::new(), is_corrupt).await;
}

#[tokio::test]
async fn a_document_whose_state_was_changed_is_refused_and_left() {
    refused_and_left(|text| text.replace("hello", "jello"), is_corrupt).await;
}

#[tokio::test]
async fn a_document_whose_fields_were_changed_is_refused_and_left() {
    let another = |text: String| {
        text.replace("\"version\": 1", "\"version\": 7").replace("\"version\":1", "\"version\":7")
    };
    refused_and_left(another, is_corrupt).await;
}

#[tokio::test]
async fn a_document_of_another_key_is_refused_and_left() {
    for place in Place::with_texts() {
        say(&place.manager(), "bob").await.unwrap();
        let bobs = place.document("bob");
        refused_and_left_at(place, |_| bobs.clone(), is_corrupt).await;
    }
}

#[tokio::test]
async fn a_newer_schema_version_is_refused_and_left() {
    let newer = |text: String| {
        text.replace("\"schema_version\": \"1.0\"", "\"schema_version\": \"2.0\"")
            .replace("\"checksum\"", "\"new_checksum\"")
    };
    document_refused_and_left(newer, |error| {
        matches!(error, Error::SchemaVersion { found, supported: "1.0", .. } if found == "2.0")
    })
    .await;
}

#[tokio::test]
async fn a_state_that_no_longer_fits_its_type_is_refused_with_the_path_and_left() {
    let without_checksum = |text: String| {
        let text = text.replace("\"hello\"", "4711");
        text.lines().filter(|line| !line.contains("checksum")).collect::<Vec<_>>().join("\n")
    };
    document_refused_and_left(without_checksum, |error| {
        matches!(error, Error::Decode { path, .. } if path == "turns[0]")
            // A save that knows nothing of the record finds one in its way.
            || matches!(error, Error::Conflict { .. })
    })
    .await;
}

#[tokio::test]
async fn an_edit_by_hand_is_accepted_when_the_checksum_is_removed() {
    for place in Place::with_documents() {
        let warm = place.manager();
        say(&warm, "alice").await.unwrap();
        let text = place.document("alice").replace("hello", "edited");
        let lines: Vec<_> = text.lines().filter(|line| !line.contains("\"checksum\"")).collect();
        place.put_document("alice", &lines.join("\n"));
        assert_eq!(say(&warm, "alice").await.unwrap(), 2);
        let manager = place.manager();
        let loaded = manager.load_state::<chat::State>(&key("alice")).await.unwrap().unwrap();
        assert_eq!(loaded.state.turns, ["edited", "hello"]);
        assert_eq!(loaded.revision.version, 2);
    }
}

/// The record of alice, without its checksum and as an edit leaves it.
fn edit(place: &Place, edit: impl Fn(&str) -> String) {
    let text = place.document("alice");
    let lines: Vec<_> = text.lines().filter(|line| !line.contains("\"checksum\"")).collect();
    place.put_document("alice", &edit(&lines.join("\n")));
}

#[tokio::test]
async fn a_state_that_is_null_after_an_edit_is_a_state() {
    for place in Place::with_documents() {
        let manager = place.manager();
        manager.save_state(&key("alice"), None::<u32>, None).await.unwrap();
        edit(&place, str::to_owned);
        let loaded = manager.load_state::<Option<u32>>(&key("alice")).await.unwrap().unwrap();
        assert_eq!(loaded.state, None);
        manager.save_state(&key("alice"), Some(1), Some(loaded.revision)).await.unwrap();
    }
}

#[tokio::test]
async fn the_last_version_can_be_saved_over_and_a_larger_one_is_refused() {
    for place in Place::with_documents() {
        let manager = place.manager();
        say(&manager, "alice").await.unwrap();
        edit(&place, |text| text.replace("\"version\": 1", &format!("\"version\": {}", i64::MAX)));
        for turns in 2..=3 {
            assert_eq!(say(&manager, "alice").await.unwrap(), turns);
        }
        edit(&place, |text| text.replace(&i64::MAX.to_string(), &u64::MAX.to_string()));
        let error = say(&manager, "alice").await.unwrap_err();
        assert!(is_corrupt(&error), "{error}");
    }
}

#[tokio::test]
async fn what_a_record_says_about_itself_stays_with_it_from_save_to_save() {
    for place in Place::with_documents() {
        let manager = place.manager();
        say(&manager, "alice").await.unwrap();
        edit(&place, |text| {
            text.replace("\"llm_model\":\"unknown\"", "\"llm_model\":\"large\",\"team\":[\"blue\"]")
        });
        assert_eq!(say(&manager, "alice").await.unwrap(), 2);
        let loaded = manager.load_state::<chat::State>(&key("alice")).await.unwrap().unwrap();
        manager.save_state(&key("alice"), loaded.state, Some(loaded.revision)).await.unwrap();
        let again = manager.load_state::<chat::State>(&key("alice")).await.unwrap().unwrap();
        assert_eq!(again.metadata.llm_model, "large");
        assert_eq!(again.metadata.custom["team"], serde_json::json!(["blue"]));
        assert_ne!(again.metadata.saved_at, loaded.metadata.saved_at);
    }
}
