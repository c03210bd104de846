//! No call ends within no time.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(deadline = "0s")]
async fn ask(user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
