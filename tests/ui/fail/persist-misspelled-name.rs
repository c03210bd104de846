//! A backend or URL scheme that is misspelled.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "flie")]
async fn name(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "postgress://user:secret@host/agents")]
async fn url(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "Memory")]
async fn capital(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
