//! A `file:` URL has no host.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "file://host/agents")]
async fn host(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "file://agents")]
async fn relative(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
