//! `persist` takes any expression that gives a manager or leads to one, and never moves it.
use std::sync::{Arc, LazyLock};

use cogency_state::{Error, MemoryBackend, StateManager, robust};

static SHARED: LazyLock<StateManager> = LazyLock::new(|| StateManager::new(MemoryBackend::new()));

struct Agent {
    manager: StateManager,
    shared: Arc<StateManager>,
}

impl Agent {
    #[robust(persist = self.manager)]
    async fn field(&self, state: &mut u32, user_id: &str) -> Result<u32, Error> {
        *state += 1;
        Ok(*state)
    }

    #[robust(persist = self.shared, retry = 2)]
    async fn arc(&self, state: &mut u32, user_id: &str) -> Result<u32, Error> {
        *state += 10;
        Ok(*state)
    }

    #[robust(persist = self.manager())]
    async fn getter(&self, state: &mut u32, user_id: &str) -> Result<u32, Error> {
        *state += 100;
        Ok(*state)
    }

    fn manager(&self) -> &StateManager {
        &self.manager
    }
}

#[robust(persist = *SHARED)]
async fn shared(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

/// A parameter may have the name of a backend.
#[robust(persist = memory, retry = 2, backoff = "1ms")]
async fn parameter(state: &mut u32, user_id: &str, memory: StateManager) -> Result<u32, Error> {
    *state += 1;
    drop(memory);
    Ok(*state)
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let manager = StateManager::new(MemoryBackend::new());
    let agent = Agent { shared: Arc::new(manager.clone()), manager };
    assert_eq!(assert_send(agent.field("alice")).await?, 1);
    assert_eq!(assert_send(agent.arc("alice")).await?, 11);
    assert_eq!(assert_send(agent.getter("alice")).await?, 111);
    assert_eq!(assert_send(shared("alice")).await?, 1);
    assert_eq!(assert_send(parameter("alice", agent.manager.clone())).await?, 112);
    Ok(())
}
