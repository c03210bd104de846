//! Each attempt gets a clone of what is passed by value.
#![allow(unused)]
use cogency_state::{Error, robust};

struct Query(String);

#[robust(persist = "memory", retry = 2)]
async fn chat(state: &mut u32, user_id: &str, query: Query) -> Result<(), Error> {
    drop(query);
    Ok(())
}

#[robust(retry = 2)]
async fn generic(query: impl Into<String>) -> Result<(), Error> {
    let _ = query.into();
    Ok(())
}

fn main() {}
