//! Without `persist` there is no state to name.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(retry = 2, session = "a")]
async fn chat(user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
