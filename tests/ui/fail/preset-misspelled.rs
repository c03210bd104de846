//! A preset is one word, and one for a function.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(respnd)]
async fn misspelled(user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(reason, act)]
async fn two(user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(reason = 3)]
async fn with_a_value(user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
