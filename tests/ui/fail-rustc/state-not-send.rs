//! A state is written and read on another thread.
#![allow(unused)]
use cogency_state::{Error, robust};

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Chat(std::marker::PhantomData<*const u32>);

#[robust(persist = "memory")]
async fn chat(state: &mut Chat, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
