//! With a single attempt there is nothing to pause for.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(retry = 1, backoff = "1s")]
async fn chat() -> Result<(), Error> {
    Ok(())
}

fn main() {}
