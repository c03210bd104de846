//! The path of the crate alone does nothing.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(crate = ::cogency_state)]
async fn chat(user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
