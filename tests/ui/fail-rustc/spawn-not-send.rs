//! A body that keeps what is not `Send` over an await cannot be spawned.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn chat(state: &mut u32, user_id: String) -> Result<(), Error> {
    let rc = std::rc::Rc::new(1);
    tokio::task::yield_now().await;
    *state += *rc;
    Ok(())
}

fn spawn() {
    tokio::spawn(chat("alice".to_owned()));
}

fn main() {}
