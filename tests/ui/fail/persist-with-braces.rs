//! Nothing is put into a URL: the key keeps users apart already.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "file:data/{user_id}")]
async fn file(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "redis://{host}/0")]
async fn redis(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
