//! Type, const and lifetime parameters, and where clauses.
use std::fmt::Display;

use cogency_state::{Error, robust};
use serde::Serialize;
use serde::de::DeserializeOwned;

#[robust(persist = "memory", retry = 2, backoff = "1ms")]
async fn keep<T, const N: usize, U: Display + ?Sized>(
    state: &mut Vec<T>,
    user_id: &U,
    items: [T; N],
) -> Result<usize, Error>
where
    T: Clone + Send + Serialize + DeserializeOwned + 'static,
{
    state.extend(items);
    Ok(state.len())
}

/// The state's type itself is a parameter.
#[robust(persist = "memory", session = std::any::type_name::<S>())]
async fn remember<S>(state: &mut S, user_id: &str, new: S) -> Result<S, Error>
where
    S: Default + Serialize + DeserializeOwned + Send + 'static,
{
    Ok(std::mem::replace(state, new))
}

#[robust(persist = "memory")]
async fn longest<'a, 'b: 'a>(
    state: &mut usize,
    user_id: &str,
    one: &'a str,
    other: &'b str,
) -> Result<&'a str, Error> {
    let longest = if one.len() > other.len() { one } else { other };
    *state = longest.len();
    Ok(longest)
}

struct Agent<T>(T);

impl<T: Display + Sync> Agent<T> {
    #[robust(persist = "memory", key = self.0)]
    async fn count<const BY: u32>(&self, state: &mut u32) -> Result<u32, Error> {
        *state += BY;
        Ok(*state)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    assert_eq!(keep("alice", [1, 2, 3]).await?, 3);
    assert_eq!(keep(&"alice".to_owned(), [4]).await?, 4);
    assert_eq!(remember("alice", 7_u64).await?, 0);
    assert_eq!(remember::<u64>("alice", 8).await?, 7);
    assert_eq!(remember("alice", "text".to_owned()).await?, "");
    assert_eq!(longest("bob", "long", "longer").await?, "longer");
    assert_eq!(Agent("carol").count::<2>().await?, 2);
    Ok(())
}
