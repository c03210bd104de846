//! A function with another ABI is not async.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(retry = 2)]
async extern "C" fn chat() -> Result<(), Error> {
    Ok(())
}

fn main() {}
