//! `retry_if` is asked about the error of the function.
#![allow(unused)]
use cogency_state::{Error, robust};

fn is_transient(error: &str) -> bool {
    error.is_empty()
}

#[robust(retry = 2, retry_if = is_transient)]
async fn ask(user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
