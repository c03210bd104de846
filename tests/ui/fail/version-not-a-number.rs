//! Versions are counted from 1.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "file", version = 0)]
async fn zero(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "file", version = "3")]
async fn in_quotes(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "file", version = 5_000_000_000)]
async fn too_large(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
