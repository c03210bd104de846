//! What is said of a state beside where it is: the LLM, the phase, the actor, fields of one's own.
#![deny(warnings)]
use cogency_state::{Error, LlmChange, StateKey, StateManager, current, robust};

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Chat {
    turns: Vec<String>,
    cached: bool,
}

#[robust(
    reason,
    persist = "memory",
    llm = llm,
    on_llm_change = migrate(|chat: &mut Chat, change: &LlmChange| {
        chat.cached = change.from.provider == change.to.provider;
        Ok::<_, Error>(())
    }),
    llm_match = model,
    on_unreadable = quarantine,
    actor = format_args!("{user_id}'s assistant"),
    metadata = { "team": "blue", "words": query.len(), "nested": { "list": [1, null] } },
    deadline = "2m",
    retry_if = |error| !matches!(error, Error::Config { .. }),
)]
async fn chat(state: &mut Chat, user_id: &str, query: &str, llm: &str) -> Result<bool, Error> {
    state.turns.push(query.to_owned());
    let call = current().unwrap();
    assert_eq!(call.key().user_id(), user_id);
    call.set("turns", state.turns.len())?;
    Ok(state.cached)
}

#[derive(serde::Serialize)]
struct Budget {
    tokens: u64,
}

struct Agent {
    model: String,
}

impl Agent {
    #[robust(persist = "memory", key = self.model, phase = "planning", llm = self.model, on_llm_change = keep, metadata = Budget { tokens: 7 })]
    async fn plan(&self, state: &mut u32) -> Result<u32, Error> {
        *state += 1;
        Ok(*state)
    }
}

fn is_transient(error: &Error) -> bool {
    matches!(error, Error::Timeout { .. })
}

#[robust(act, retry_if = is_transient, backoff = "0ms")]
async fn act(tries: &std::cell::Cell<u32>) -> Result<(), Error> {
    tries.set(tries.get() + 1);
    Err(Error::NoRuntime)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    assert!(!chat("alice", "hello", "openai/gpt-5").await?);
    assert!(chat("alice", "and", "openai/gpt-6").await?);
    assert!(!chat("alice", "again", "anthropic/claude").await?);
    let manager = StateManager::shared("memory")?;
    let metadata = manager.load_metadata(&StateKey::for_user("alice")?).await?.unwrap();
    assert_eq!(metadata.llm_provider, "anthropic");
    assert_eq!(metadata.phase_completed.as_deref(), Some("reasoning"));
    assert_eq!(metadata.actor.as_deref(), Some("alice's assistant"));
    assert_eq!((&metadata.custom["team"], &metadata.custom["words"]), (&"blue".into(), &5.into()));
    assert_eq!((&metadata.custom["turns"], &metadata.custom["nested"]["list"][0]), (&3.into(), &1.into()));

    let agent = Agent { model: "openai/gpt-5".to_owned() };
    assert_eq!(agent.plan().await?, 1);
    let metadata = manager.load_metadata(&StateKey::for_user("openai/gpt-5")?).await?.unwrap();
    assert_eq!(metadata.phase_completed.as_deref(), Some("planning"));
    assert_eq!((&*metadata.llm_model, &metadata.custom["tokens"]), ("gpt-5", &7.into()));

    let tries = std::cell::Cell::new(0);
    assert!(act(&tries).await.is_err());
    assert_eq!(tries.get(), 1);
    Ok(())
}
