//! A path that does not lead to the crate.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(retry = 2, crate = ::std)]
async fn chat() -> Result<(), Error> {
    Ok(())
}

fn main() {}
