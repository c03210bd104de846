//! 9 to 14, 17, 21 and 22: who wrote a state, whether it is loaded, and the switch.

use cogency_state::{Error, MemoryBackend, OnLlmChange, StateManager, robust};

use crate::places::{Place, key, on_every_backend};

/// A state that `openai/gpt-4` wrote.
async fn written_by_gpt(place: &Place) {
    let manager = place.builder().llm("openai/gpt-4").build();
    manager.save_state(&key("alice"), 1_u32, None).await.unwrap();
}

/// Whether one that expects this LLM loads it.
async fn loads(place: &Place, llm: &str) -> bool {
    let manager = place.builder().llm(llm).build();
    manager.load_state::<u32>(&key("alice")).await.unwrap().is_some()
}

#[robust(
    persist = manager,
    llm = "openai/gpt-4",
    metadata = { "tools_count": tools.len(), "memory_backend": "filesystem" },
)]
async fn with_tools(
    state: &mut u32,
    manager: &StateManager,
    user_id: &str,
    tools: &[&str],
) -> Result<(), Error> {
    *state += 1;
    Ok(())
}

#[robust(persist = manager, metadata = { "team": "blue", "tags": [team, 2] })]
async fn in_a_team(
    state: &mut u32,
    manager: &StateManager,
    user_id: &str,
    team: &str,
) -> Result<(), Error> {
    *state += 1;
    Ok(())
}

#[robust(persist = manager, llm = llm)]
async fn count(
    state: &mut u32,
    manager: &StateManager,
    user_id: &str,
    llm: &str,
) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

on_every_backend! {
    async fn original_09_the_four_metadata_fields_are_stored(place: Place) {
        with_tools(&place.manager(), "alice", &["search", "code"]).await.unwrap();
        let metadata = place.manager().load_metadata(&key("alice")).await.unwrap().unwrap();
        assert_eq!((&*metadata.llm_provider, &*metadata.llm_model), ("openai", "gpt-4"));
        assert_eq!((metadata.tools_count, &*metadata.memory_backend), (2, "filesystem"));
        assert!(metadata.custom.is_empty(), "{:?}", metadata.custom);
    }

    async fn original_10_a_matching_provider_and_model_load(place: Place) {
        written_by_gpt(&place).await;
        assert!(loads(&place, "openai/gpt-4").await);
    }

    async fn original_11_another_provider_does_not_load(place: Place) {
        written_by_gpt(&place).await;
        assert!(!loads(&place, "anthropic/gpt-4").await);
    }

    async fn original_12_another_model_does_not_load(place: Place) {
        written_by_gpt(&place).await;
        assert!(!loads(&place, "openai/gpt-5").await);
    }

    async fn original_13_with_validation_off_it_loads(place: Place) {
        written_by_gpt(&place).await;
        let manager = place.builder().llm("a/b").on_llm_change(OnLlmChange::Keep).build();
        assert!(manager.load_state::<u32>(&key("alice")).await.unwrap().is_some());
    }

    async fn original_14_switched_off_saving_succeeds_stores_nothing_and_loads_none(place: Place) {
        let off = place.builder().enabled(false).build();
        off.save_state(&key("alice"), 1_u32, None).await.unwrap();
        assert!(off.load_state::<u32>(&key("alice")).await.unwrap().is_none());
        assert!(place.manager().load_state::<u32>(&key("alice")).await.unwrap().is_none());
    }

    async fn original_17_custom_metadata_is_kept(place: Place) {
        in_a_team(&place.manager(), "alice", "red").await.unwrap();
        let metadata = place.manager().load_metadata(&key("alice")).await.unwrap().unwrap();
        assert_eq!(metadata.custom["team"], "blue");
        assert_eq!(metadata.custom["tags"], serde_json::json!(["red", 2]));
    }

    async fn original_22_a_state_is_saved_and_loaded_under_a_matching_llm(place: Place) {
        for due in 1..=3 {
            assert_eq!(count(&place.manager(), "alice", "openai/gpt-4").await.unwrap(), due);
        }
    }

    async fn original_defect_another_llm_read_as_nothing_there_and_was_overwritten(place: Place) {
        for due in 1..=50 {
            assert_eq!(count(&place.manager(), "alice", "openai/gpt-4").await.unwrap(), due);
        }
        assert_eq!(count(&place.manager(), "alice", "anthropic/claude").await.unwrap(), 1);
        assert_eq!(count(&place.manager(), "alice", "openai/gpt-4").await.unwrap(), 51);
    }

    async fn original_defect_the_switch_was_frozen_at_import(place: Place) {
        let manager = place.manager();
        for (is_on, due) in [(true, 1), (false, 1), (true, 2)] {
            manager.set_enabled(is_on);
            assert_eq!(count(&manager, "alice", "openai/gpt-4").await.unwrap(), due);
        }
    }
}

#[tokio::test]
async fn original_21_the_shared_manager_can_be_set_read_and_cleared() {
    let own = StateManager::new(MemoryBackend::new());
    own.save_state(&key("alice"), 1_u32, None).await.unwrap();
    own.clone().install("memory").unwrap();
    let shared = || StateManager::shared("memory").unwrap();
    assert_eq!(shared().load_state::<u32>(&key("alice")).await.unwrap().unwrap().state, 1);
    assert!(StateManager::uninstall("memory").unwrap());
    assert!(!StateManager::uninstall("memory").unwrap());
    assert!(shared().load_state::<u32>(&key("alice")).await.unwrap().is_none());
}
