//! Without `retry` there is nothing to pause for.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(timeout = "1s", backoff = "1s")]
async fn chat() -> Result<(), Error> {
    Ok(())
}

fn main() {}
