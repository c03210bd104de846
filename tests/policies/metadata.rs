//! What is known of a state, from outside and from inside a call.

use std::cell::Cell;

use cogency_state::{Error, MemoryBackend, StateManager, current, robust};

use crate::key;

#[robust(persist = manager, retry = 3, backoff = "0ms", metadata = { "team": "blue" })]
async fn call(
    state: &mut u32,
    manager: &StateManager,
    user_id: &str,
    failures: &Cell<u32>,
) -> Result<bool, Error> {
    *state += 1;
    let call = current().unwrap();
    assert_eq!(*call.key(), key(user_id));
    call.set(format!("left {}", failures.get()), *state)?;
    if failures.get() > 0 {
        failures.set(failures.get() - 1);
        return Err(Error::NoRuntime);
    }
    Ok(call.is_new())
}

#[tokio::test]
async fn what_a_body_says_is_saved_with_the_attempt_that_succeeds() {
    let manager = StateManager::new(MemoryBackend::new());
    assert!(call(&manager, "alice", &Cell::new(2)).await.unwrap());
    assert!(!call(&manager, "alice", &Cell::new(0)).await.unwrap());
    let custom = manager.load_metadata(&key("alice")).await.unwrap().unwrap().custom;
    assert_eq!(
        serde_json::Value::Object(custom),
        serde_json::json!({ "left 0": 2, "team": "blue" })
    );
}

#[tokio::test]
async fn a_body_sees_what_was_known_and_nobody_else_does() {
    #[robust(persist = manager, key = "bob")]
    async fn inner(state: &mut u32, manager: &StateManager) -> Result<(), Error> {
        *state += 1;
        assert_eq!(*current().unwrap().key(), key("bob"));
        Ok(())
    }
    #[robust(persist = manager)]
    async fn outer(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<(), Error> {
        *state += 1;
        inner(manager).await?;
        let call = current().unwrap();
        assert_eq!(*call.key(), key("alice"));
        assert_eq!(call.metadata().custom["team"], "blue");
        assert!(tokio::spawn(async { current().is_none() }).await.unwrap());
        Ok(())
    }
    let manager = StateManager::new(MemoryBackend::new());
    call(&manager, "alice", &Cell::new(0)).await.unwrap();
    outer(&manager, "alice").await.unwrap();
    assert!(current().is_none());
}

#[tokio::test]
async fn a_field_that_every_record_has_is_refused_and_nothing_is_saved() {
    #[robust(persist = manager, metadata = fields)]
    async fn say(
        state: &mut u32,
        manager: &StateManager,
        user_id: &str,
        fields: serde_json::Value,
    ) -> Result<(), Error> {
        *state += 1;
        Ok(())
    }
    let manager = StateManager::new(MemoryBackend::new());
    let wrong = [
        serde_json::json!({ "llm_model": "gpt" }),
        serde_json::json!({ "tools_count": -1 }),
        serde_json::json!({ "memory_backend": null }),
        serde_json::json!([1]),
    ];
    for fields in wrong {
        let error = say(&manager, "alice", fields).await.unwrap_err();
        assert!(matches!(error, Error::Config { .. }), "{error}");
    }
    assert!(manager.load_metadata(&key("alice")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_call_by_hand_sees_what_was_known_and_says_what_it_knows() {
    let manager = StateManager::new(MemoryBackend::new());
    call(&manager, "alice", &Cell::new(0)).await.unwrap();
    let mut by_hand = manager.begin::<u32>(&key("alice")).await.unwrap();
    assert_eq!(by_hand.metadata().custom["team"], "blue");
    by_hand.set("team", "red").unwrap();
    by_hand.set("tools_count", 3).unwrap();
    let error = by_hand.set("saved_at", "today").unwrap_err();
    assert!(matches!(error, Error::Config { .. }), "{error}");
    by_hand.commit().await.unwrap();
    let metadata = manager.load_metadata(&key("alice")).await.unwrap().unwrap();
    assert_eq!((&metadata.custom["team"], metadata.tools_count), (&"red".into(), 3));
    // What was said stays from save to save.
    call(&manager, "alice", &Cell::new(0)).await.unwrap();
    assert_eq!(manager.load_metadata(&key("alice")).await.unwrap().unwrap().tools_count, 3);
}

#[tokio::test]
async fn metadata_is_read_whatever_the_type_of_the_state() {
    let manager = StateManager::new(MemoryBackend::new());
    manager.save_state(&key("alice"), vec!["hello".to_owned()], None).await.unwrap();
    assert!(manager.load_state::<u32>(&key("alice")).await.is_err());
    assert!(manager.load_metadata(&key("alice")).await.unwrap().unwrap().saved_at.is_some());
}
