//! `AgentState` is the original's: its fields, defaults and caps, and the states that it wrote.

use cogency_state::{AgentAction, AgentState, Error, StateKey, ToolOutcome};
use serde_json::{Value, json};

use crate::fixtures;
use crate::places::{Place, key, on_every_backend, store};

#[test]
fn the_defaults_and_the_order_of_the_fields_are_the_originals() {
    let mut state = AgentState::new("", "empty");
    assert_eq!(as_the_original(&state), as_it_wrote("empty_0f1e2d3c"));
    (state.query, state.user_id) = ("hi".to_owned(), AgentState::default().user_id);
    assert_eq!(as_the_original(&state), as_it_wrote("default_0f1e2d3c"));
}

#[test]
fn what_the_original_wrote_is_written_again_byte_for_byte() {
    for name in fixtures::READABLE {
        let document: Value = serde_json::from_str(&fixtures::file(name)).unwrap();
        let state: AgentState = serde_json::from_value(document["state"].clone()).unwrap();
        // It wrote other characters than those of ASCII as escapes.
        if as_it_wrote(name).contains("\\u") {
            assert_eq!(serde_json::to_value(&state).unwrap(), document["state"], "{name}");
        } else {
            assert_eq!(as_the_original(&state), as_it_wrote(name), "{name}");
        }
    }
}

/// What stands between `"state": ` and the metadata in a file of the original's.
fn as_it_wrote(name: &str) -> String {
    let file = fixtures::file(name);
    let state = file.split_once("\"state\": ").unwrap().1;
    state.split_once(",\n  \"metadata\"").unwrap().0.to_owned()
}

/// A state with the original's indent, one step in. Maps of the user's own are sorted by name.
fn as_the_original(state: &AgentState) -> String {
    serde_json::to_string_pretty(state).unwrap().replace('\n', "\n  ")
}

#[test]
fn fields_that_are_not_known_stay_at_every_depth() {
    let stored = json!({
        "query": "q", "mood": {"good": [1, null]},
        "messages": [{"role": "user", "content": "c", "name": "al"}],
        "actions": [{"mode": "fast", "cost": 0.25, "hypothesis": {"belief": "b", "odds": 3}}],
    });
    let mut state: AgentState = serde_json::from_value(stored.clone()).unwrap();
    let written = serde_json::to_value(&state).unwrap();
    assert_eq!(written["mood"], stored["mood"]);
    assert_eq!(written["messages"], stored["messages"]);
    assert_eq!(written["actions"][0]["cost"], 0.25);
    assert_eq!(written["actions"][0]["hypothesis"]["odds"], 3);
    state.begin_query("next");
    assert_eq!(serde_json::to_value(&state).unwrap()["mood"], stored["mood"]);
}

#[test]
fn a_state_without_a_query_is_none() {
    assert!(serde_json::from_str::<AgentState>(r#"{"user_id":"al"}"#).is_err());
}

#[test]
fn the_last_five_actions_are_kept_and_a_tools_result_is_cut_at_1000_characters() {
    let mut state = AgentState::default();
    for iteration in 1..=7 {
        state.iteration = iteration;
        let mut action = AgentAction::new("fast");
        action.approach = format!("approach {iteration}");
        action.add_tool_result("search", json!({"q": 1}), &"ä".repeat(1001), ToolOutcome::Timeout);
        state.add_action(action);
    }
    let iterations: Vec<_> = state.actions.iter().map(|action| action.iteration).collect();
    assert_eq!(iterations, [3, 4, 5, 6, 7]);
    assert_eq!(state.current_approach, "approach 7");
    let call = &state.actions[0].tool_calls[0];
    assert_eq!(call["result"], "ä".repeat(1000));
    assert_eq!(call["outcome"], "timeout");
    let outcomes = [ToolOutcome::Success, ToolOutcome::Failure, ToolOutcome::Error];
    assert_eq!(serde_json::to_value(outcomes).unwrap(), json!(["success", "failure", "error"]));
}

#[test]
fn what_belongs_to_a_query_begins_anew_with_the_next_and_the_conversation_stays() {
    let document: Value = serde_json::from_str(&fixtures::file("actions_0f1e2d3c")).unwrap();
    let spent: AgentState = serde_json::from_value(document["state"].clone()).unwrap();
    assert!(!spent.may_go_on());
    let mut state = spent.clone();
    state.begin_query("next");
    assert!(state.may_go_on());
    let mut due = AgentState::new("next", spent.user_id);
    due.messages = spent.messages;
    due.max_iterations = spent.max_iterations;
    (due.verbose, due.trace) = (spent.verbose, spent.trace);
    assert_eq!(state, due);
}

#[test]
fn a_conversation_is_not_shown() {
    let mut state = AgentState::new("hunter2", "alice");
    state.add_message("user", "hunter2");
    let mut action = AgentAction::new("fast");
    action.thinking = Some("hunter2".to_owned());
    state.add_action(action);
    let shown = format!("{state:?} {:?} {:?}", state.messages, state.actions);
    assert!(!shown.contains("hunter2"), "{shown}");
}

on_every_backend! {
    async fn what_the_original_wrote_loads_and_comes_back_from_every_backend(place: Place) {
        for (number, name) in fixtures::READABLE.iter().enumerate() {
            let document: Value = serde_json::from_str(&fixtures::file(name)).unwrap();
            let user = format!("user{number}");
            store(&place.manager(), &user, document["state"].to_string()).await;
            let call = place.manager().begin::<AgentState>(&key(&user)).await.unwrap();
            call.commit().await.unwrap();
            let loaded = place.manager().load_state::<Value>(&key(&user)).await;
            assert!(matches!(loaded, Err(Error::StateType { .. })), "it is an agent's now");
            let loaded = place.manager().load_state::<AgentState>(&key(&user)).await.unwrap().unwrap();
            assert_eq!(serde_json::to_value(&loaded.state).unwrap(), document["state"], "{name}");
        }
    }
}

#[tokio::test]
async fn files_and_redis_values_of_the_original_load_where_they_are() {
    for place in Place::with_documents() {
        let files = fixtures::READABLE.map(fixtures::file).into_iter();
        let documents = files.chain(fixtures::redis_values().into_iter().map(|value| value.1));
        for (number, document) in documents.enumerate() {
            let user = format!("user{number}");
            let manager = place.manager();
            manager.save_state(&key(&user), 1, None).await.unwrap();
            place.put_document(&user, &document);
            let loaded =
                place.manager().load_state::<AgentState>(&key(&user)).await.unwrap().unwrap();
            let document: Value = serde_json::from_str(&document).unwrap();
            assert_eq!(serde_json::to_value(&loaded.state).unwrap(), document["state"]);
            let metadata = serde_json::to_value(&loaded.metadata).unwrap();
            for (name, value) in document["metadata"].as_object().unwrap() {
                assert_eq!(&metadata[name], value, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn numbers_that_are_no_json_are_refused_and_left() {
    for place in Place::with_documents() {
        let (manager, document) = (place.manager(), fixtures::file("nonfinite_0f1e2d3c"));
        manager.save_state(&key("alice"), 1, None).await.unwrap();
        place.put_document("alice", &document);
        let error = place.manager().begin::<AgentState>(&key("alice")).await.unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        assert_eq!(place.document("alice"), document);
    }
}

#[test]
fn a_key_of_the_original_is_one_here() {
    for user in ["a:b", "ünï-日本:a/b", "custom-metadata"] {
        StateKey::new(user, "0f1e2d3c").unwrap();
    }
}
