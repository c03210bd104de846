//! Two state types under one key do not corrupt each other: the second gets an error.
use cogency_state::{Error, robust};

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Chat(Vec<String>);

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Plan(Vec<String>);

#[robust(persist = "memory")]
async fn chat(state: &mut Chat, user_id: &str) -> Result<usize, Error> {
    state.0.push("turn".to_owned());
    Ok(state.0.len())
}

#[robust(persist = "memory")]
async fn plan(state: &mut Plan, user_id: &str) -> Result<usize, Error> {
    state.0.clear();
    Ok(0)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_eq!(chat("alice").await.unwrap(), 1);
    assert!(matches!(plan("alice").await, Err(Error::StateType { .. })));
    assert_eq!(chat("alice").await.unwrap(), 2);
}
