//! Migrations from one LLM's state to another's.

use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use cogency_state::{Error, LlmChange, MemoryBackend, Migrations, OnLlmChange, StateManager};

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

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Chat {
    #[serde(default)]
    turns: Vec<String>,
}

/// The function of an LLM's change knows the type as it is now, and nothing of earlier ones.
#[tokio::test]
async fn an_older_state_of_another_llm_is_brought_up_to_date_before_it_is_made_this_ones() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Old {
        lines: Vec<String>,
    }
    let backend = MemoryBackend::new();
    let one = StateManager::builder(backend.clone()).llm("a/1").build();
    let lines = vec!["hello".to_owned()];
    one.save_state(&key("alice"), Old { lines }, None).await.unwrap();
    let steps = Migrations::new().step_from(1, |old: Old| Ok(Chat { turns: old.lines }));
    let migrate = OnLlmChange::migrate(|chat: &mut Chat, _: &LlmChange| {
        chat.turns.push("for b".to_owned());
        Ok::<_, Error>(())
    });
    let other = StateManager::builder(backend).llm("b/2").on_llm_change(migrate);
    let other = other.migrations::<Chat>(steps).build();
    let loaded = other.load_state::<Chat>(&key("alice")).await.unwrap().unwrap();
    assert_eq!(loaded.state.turns, ["hello", "for b"]);
    let call = other.begin::<Chat>(&key("alice")).await.unwrap();
    assert_eq!(call.state.turns, ["hello", "for b"]);
    call.commit().await.unwrap();
    let call = other.begin::<Chat>(&key("alice")).await.unwrap();
    assert_eq!(call.state.turns, ["hello", "for b"], "once");
}
