//! The body's value and each `return` are coerced to the return type.
use std::fmt::Display;

use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn shown(state: &mut u8, user_id: &str, text: bool) -> Result<Box<dyn Display + Send>, Error> {
    *state += 1;
    if text {
        return Ok(Box::new("text"));
    }
    Ok(Box::new(*state))
}

#[robust(persist = "memory")]
async fn step(state: &mut u8, user_id: &str) -> Result<fn(u8) -> u8, Error> {
    *state += 1;
    Ok(|x| x + 1)
}

#[robust(timeout = "1s")]
async fn collected(words: &[&str]) -> Result<Vec<String>, Error> {
    Ok(words.iter().map(|word| word.to_string()).collect())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    assert_eq!(shown("alice", true).await?.to_string(), "text");
    assert_eq!(shown("alice", false).await?.to_string(), "2");
    assert_eq!(step("bob").await?(1), 2);
    assert_eq!(collected(&["a"]).await?, ["a"]);
    Ok(())
}
