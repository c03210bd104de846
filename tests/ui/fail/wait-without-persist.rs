//! Without `persist` there is nothing to wait for.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(wait = "1s")]
async fn chat(user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
