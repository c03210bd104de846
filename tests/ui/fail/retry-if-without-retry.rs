//! With one attempt no error is tried again.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(timeout = "1s", retry_if = is_transient)]
async fn ask(user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
