//! Nothing that the caller has can borrow from the state.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn chat<'a>(state: &'a mut String, user_id: &'a str) -> Result<&'a str, Error> {
    Ok(state)
}

#[robust(persist = "memory")]
async fn forever(state: &'static mut String, user_id: &str) -> Result<&'static str, Error> {
    Ok(state)
}

fn main() {}
