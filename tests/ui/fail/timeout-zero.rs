//! No attempt ends within no time.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(timeout = "0s")]
async fn chat() -> Result<(), Error> {
    Ok(())
}

fn main() {}
