//! The future is `Send` whenever the state, the arguments and the body are, and `'static` whenever
//! the arguments are.
use std::cell::{Cell, RefCell};
use std::sync::Arc;

use cogency_state::{Error, robust};

/// `Send`, but not `Sync`: the body has to own it.
#[derive(Clone)]
struct Owned(RefCell<u32>);

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Chat {
    turns: Cell<u32>,
}

#[robust(persist = "memory")]
async fn once(state: &mut Chat, user_id: String, owned: Owned) -> Result<u32, Error> {
    *owned.0.borrow_mut() += 1;
    tokio::task::yield_now().await;
    state.turns.set(state.turns.get() + *owned.0.borrow());
    Ok(state.turns.get())
}

#[robust(persist = "memory", retry = 2, backoff = "1ms")]
async fn twice(state: &mut Chat, user_id: Arc<str>, owned: Owned) -> Result<u32, Error> {
    *owned.0.borrow_mut() += 1;
    tokio::task::yield_now().await;
    state.turns.set(state.turns.get() + *owned.0.borrow());
    Ok(state.turns.get())
}

#[robust(retry = 2, backoff = "1ms")]
async fn stateless(owned: Owned) -> Result<u32, Error> {
    tokio::task::yield_now().await;
    Ok(owned.0.into_inner())
}

#[robust(persist = "memory", retry = 2, backoff = "1ms")]
async fn generic<T: Clone + Send>(state: &mut Chat, user_id: String, value: T) -> Result<T, Error> {
    tokio::task::yield_now().await;
    state.turns.set(9);
    Ok(value)
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let owned = Owned(RefCell::new(1));
    assert_eq!(tokio::spawn(once("alice".into(), owned.clone())).await.unwrap()?, 2);
    assert_eq!(tokio::spawn(twice("alice".into(), owned.clone())).await.unwrap()?, 4);
    assert_eq!(tokio::spawn(stateless(owned)).await.unwrap()?, 1);
    assert_eq!(assert_send(generic("alice".into(), Cell::new(3))).await?.get(), 3);
    Ok(())
}
