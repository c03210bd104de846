//! `#[tokio::main]` makes a function that is not async any more: it stands below.
#![allow(unused)]
use cogency_state::{Error, robust};

#[tokio::main]
#[robust(retry = 2)]
async fn run() -> Result<(), Error> {
    Ok(())
}

fn main() {}
