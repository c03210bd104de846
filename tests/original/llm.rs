//! 9 to 14, 17, 21 and 22: who wrote a state, whether it is loaded, and the switch.

use cogency_state::{Error, MemoryBackend, OnLlmChange, StateKey, StateManager, robust};

fn key(user_id: &str) -> StateKey {
    StateKey::for_user(user_id).unwrap()
}

/// What is there, through managers of their own.
struct Stored(MemoryBackend);

impl Stored {
    /// A state that `openai/gpt-4` wrote.
    async fn by_gpt() -> Self {
        let stored = Self(MemoryBackend::new());
        stored.manager("openai/gpt-4").save_state(&key("alice"), 1_u32, None).await.unwrap();
        stored
    }

    fn manager(&self, llm: &str) -> StateManager {
        StateManager::builder(self.0.clone()).llm(llm).build()
    }

    async fn loads(&self, llm: &str) -> bool {
        self.manager(llm).load_state::<u32>(&key("alice")).await.unwrap().is_some()
    }
}

#[tokio::test]
async fn original_09_the_four_metadata_fields_are_stored() {
    #[robust(persist = manager, llm = "openai/gpt-4")]
    async fn call(state: &mut u32, manager: &StateManager, user_id: &str) -> Result<(), Error> {
        *state += 1;
        Ok(())
    }
    let manager = StateManager::new(MemoryBackend::new());
    call(&manager, "alice").await.unwrap();
    let metadata = manager.load_metadata(&key("alice")).await.unwrap().unwrap();
    assert_eq!((&*metadata.llm_provider, &*metadata.llm_model), ("openai", "gpt-4"));
    assert_eq!((metadata.tools_count, &*metadata.memory_backend), (0, "unknown"));
}

#[tokio::test]
async fn original_10_a_matching_provider_and_model_load() {
    assert!(Stored::by_gpt().await.loads("openai/gpt-4").await);
}

#[tokio::test]
async fn original_11_another_provider_does_not_load() {
    assert!(!Stored::by_gpt().await.loads("anthropic/gpt-4").await);
}

#[tokio::test]
async fn original_12_another_model_does_not_load() {
    assert!(!Stored::by_gpt().await.loads("openai/gpt-5").await);
}

#[tokio::test]
async fn original_13_with_validation_off_it_loads() {
    let Stored(backend) = Stored::by_gpt().await;
    let manager =
        StateManager::builder(backend).llm("a/b").on_llm_change(OnLlmChange::Keep).build();
    assert!(manager.load_state::<u32>(&key("alice")).await.unwrap().is_some());
}

#[tokio::test]
async fn original_14_switched_off_saving_succeeds_stores_nothing_and_loads_none() {
    let backend = MemoryBackend::new();
    let manager = StateManager::builder(backend.clone()).enabled(false).build();
    manager.save_state(&key("alice"), 1_u32, None).await.unwrap();
    assert!(manager.load_state::<u32>(&key("alice")).await.unwrap().is_none());
    let other = StateManager::new(backend);
    assert!(other.load_state::<u32>(&key("alice")).await.unwrap().is_none());
}

#[tokio::test]
async fn original_17_custom_metadata_is_kept() {
    #[robust(persist = manager, metadata = { "team": "blue", "tags": [team, 2] })]
    async fn call(
        state: &mut u32,
        manager: &StateManager,
        user_id: &str,
        team: &str,
    ) -> Result<(), Error> {
        *state += 1;
        Ok(())
    }
    let manager = StateManager::new(MemoryBackend::new());
    call(&manager, "alice", "red").await.unwrap();
    let metadata = manager.load_metadata(&key("alice")).await.unwrap().unwrap();
    assert_eq!(metadata.custom["team"], "blue");
    assert_eq!(metadata.custom["tags"], serde_json::json!(["red", 2]));
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

#[tokio::test]
async fn original_22_a_state_is_saved_and_loaded_under_a_matching_llm() {
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
    let manager = StateManager::new(MemoryBackend::new());
    for due in 1..=3 {
        assert_eq!(count(&manager, "alice", "openai/gpt-4").await.unwrap(), due);
    }
}
