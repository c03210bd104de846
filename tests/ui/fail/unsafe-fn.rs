//! An unsafe function is not repeated.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(retry = 2)]
async unsafe fn chat() -> Result<(), Error> {
    Ok(())
}

fn main() {}
