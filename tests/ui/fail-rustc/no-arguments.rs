//! Without arguments the attribute would do nothing.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust]
async fn chat(user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust()]
async fn empty(user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
