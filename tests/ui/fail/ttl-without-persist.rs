//! Without `persist` there is nothing that could expire.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(retry = 3, ttl = "7d")]
async fn chat(user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
