//! Migrations from one LLM's state to another's.

use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use cogency_state::{Error, LlmChange, MemoryBackend, OnLlmChange, StateManager};

use crate::key;

/// A state that one LLM wrote, and a manager of another's.
async fn migrated(
    state: &str,
    migrate: impl Fn(&mut String) -> Result<(), serde_json::Error> + Send + Sync + 'static,
) -> Result<String, Error> {
    let backend = MemoryBackend::new();
    let one = StateManager::builder(backend.clone()).llm("a/1").build();
    one.save_state(&key("alice"), state.to_owned(), None).await?;
    let migrate = OnLlmChange::migrate(move |state: &mut String, _: &LlmChange| migrate(state));
    let other = StateManager::builder(backend).llm("b/2").on_llm_change(migrate).build();
    other.begin::<String>(&key("alice")).await.map(|call| call.state.clone())
}

#[tokio::test]
async fn what_a_migration_met_is_not_in_its_error() {
    let failed = migrated("hunter2", |state| {
        let quoted = serde_json::to_string(state)?;
        serde_json::from_str::<u32>(&quoted).map(drop)
    });
    let error = failed.await.unwrap_err();
    assert!(matches!(error, Error::LlmMigration { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error} {error:?}");
}

#[tokio::test]
async fn a_large_state_is_migrated_off_the_threads_of_the_runtime() {
    let there: Arc<Mutex<Option<ThreadId>>> = Arc::default();
    let noted = Arc::clone(&there);
    let state = "x".repeat(1 << 20);
    let migrated = migrated(&state, move |state| {
        *noted.lock().unwrap() = Some(thread::current().id());
        state.push('y');
        Ok(())
    });
    assert_eq!(migrated.await.unwrap().len(), state.len() + 1);
    assert_ne!(there.lock().unwrap().unwrap(), thread::current().id());
}
