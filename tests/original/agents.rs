//! 18 to 21: what an agent gets back.

use std::sync::Arc;

use cogency_state::{AgentState, Error, MemoryBackend, StateManager, robust};
use serde_json::{Value, json};

use crate::fixtures;
use crate::places::{key, on_every_backend, store};

#[robust(persist = manager)]
async fn ask(
    state: &mut AgentState,
    manager: &StateManager,
    user_id: &str,
    query: &str,
) -> Result<AgentState, Error> {
    state.begin_query(query);
    state.add_message("user", query);
    Ok(state.clone())
}

on_every_backend! {
    async fn original_18_every_field_is_rebuilt_and_the_callback_is_not(place: Place) {
        let document: Value = serde_json::from_str(&fixtures::file("actions_0f1e2d3c")).unwrap();
        let mut stored = document["state"].clone();
        stored["callback"] = json!("<function on_step at 0x7f>");
        store(&place.manager(), "alice", stored.to_string()).await;
        let loaded = place.manager().load_state::<AgentState>(&key("alice")).await.unwrap().unwrap();
        assert_eq!(serde_json::to_value(&loaded.state).unwrap(), document["state"]);
        assert_eq!(document["state"]["callback"], Value::Null);
    }

    async fn original_20_the_first_call_creates_and_the_second_finds_the_state_with_its_query(place: Place) {
        let first = ask(&place.manager(), "alice", "first").await.unwrap();
        assert_eq!((&*first.query, first.messages.len()), ("first", 1));
        let second = ask(&place.manager(), "alice", "second").await.unwrap();
        assert_eq!((&*second.query, second.messages.len()), ("second", 2));
        assert_eq!(second.messages[0], first.messages[0]);
    }
}

#[tokio::test]
async fn original_19_what_one_agent_keeps_another_need_not() {
    #[robust(retry = 2)]
    async fn without(query: &str) -> Result<AgentState, Error> {
        Ok(AgentState::new(query, "alice"))
    }
    let manager = StateManager::new(MemoryBackend::new());
    ask(&manager, "alice", "kept").await.unwrap();
    assert_eq!(without("not kept").await.unwrap().query, "not kept");
    let kept = manager.load_state::<AgentState>(&key("alice")).await.unwrap().unwrap();
    assert_eq!(kept.state.query, "kept");
}

/// The original has one manager for all agents. Here each has one of its own, and one that is
/// shared is shared by name, for as long as its runtime.
#[tokio::test]
async fn original_21_a_shared_manager_can_be_set_and_read_and_is_gone_with_its_runtime() {
    let own = StateManager::new(MemoryBackend::new());
    let location = own.backend().location().to_owned();
    own.install("memory").unwrap();
    assert_eq!(StateManager::shared("memory").unwrap().backend().location(), location);
    let other_runtime = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            StateManager::shared("memory").unwrap().backend().location().to_owned()
        })
    });
    assert_ne!(other_runtime.join().unwrap(), location);
    let another = Arc::new(StateManager::new(MemoryBackend::new()));
    assert_ne!(another.backend().location(), location);
}
