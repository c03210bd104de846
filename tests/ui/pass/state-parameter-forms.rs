//! The state can be bound as `_`, as `mut`, with attributes, with a lifetime that only it uses,
//! and be of any owned type.
#![deny(warnings)]
use std::collections::BTreeMap;

use cogency_state::{Error, robust};

type Counts = BTreeMap<String, (u32, Option<Box<[u8]>>)>;

#[robust(persist = "memory")]
async fn ignored(_: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "memory")]
async fn rebound(mut state: &mut Vec<u32>, user_id: &str) -> Result<usize, Error> {
    state.push(1);
    let mut other = Vec::new();
    let len = state.len();
    state = &mut other;
    state.push(2);
    Ok(len)
}

#[robust(persist = "memory", session = "unused")]
async fn unused(#[allow(unused_variables)] state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "memory", session = "own")]
async fn own_lifetime<'state>(state: &'state mut u32, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[robust(persist = "memory", session = "map")]
async fn map(counts: &mut Counts, user_id: &str) -> Result<u32, Error> {
    let count = counts.entry(user_id.to_owned()).or_default();
    count.0 += 1;
    Ok(count.0)
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Chat(u32);

impl Chat {
    #[robust(persist = "memory", session = "self")]
    async fn own_type(state: &mut Self, user_id: &str) -> Result<u32, Error> {
        state.0 += 1;
        Ok(state.0)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    ignored("nobody").await?;
    assert_eq!(rebound("alice").await?, 1);
    assert_eq!(rebound("alice").await?, 2);
    unused("alice").await?;
    assert_eq!(own_lifetime("alice").await?, 1);
    assert_eq!(map("alice").await?, 1);
    assert_eq!(Chat::own_type("alice").await?, 1);
    Ok(())
}
