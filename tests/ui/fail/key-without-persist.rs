//! Without `persist` there is no state to name.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(retry = 2, key = user_id)]
async fn chat(user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
