//! Commas between the arguments.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(retry = 3 timeout = "1s")]
async fn chat() -> Result<(), Error> {
    Ok(())
}

fn main() {}
