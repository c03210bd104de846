//! A const function has no run time.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(retry = 2)]
const fn chat() -> Result<(), Error> {
    Ok(())
}

fn main() {}
