//! Nothing unreadable is ever overwritten.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "file", on_unreadable = overwrite)]
async fn count(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
