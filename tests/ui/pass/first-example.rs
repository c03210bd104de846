//! The example that documentation opens with.
use cogency_state::robust;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Chat {
    turns: Vec<String>,
}

#[robust(persist = "memory")]
async fn chat(
    state: &mut Chat,
    user_id: &str,
    query: &str,
) -> Result<String, cogency_state::Error> {
    state.turns.push(query.to_owned());
    Ok(format!("turn {}", state.turns.len()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), cogency_state::Error> {
    assert_eq!(chat("alice", "hello").await?, "turn 1");
    assert_eq!(chat("alice", "and again").await?, "turn 2");
    assert_eq!(chat("bob", "hello").await?, "turn 1");
    Ok(())
}
