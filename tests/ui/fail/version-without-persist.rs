//! Without `persist` there is no state that could have a version.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(retry = 3, version = 2)]
async fn chat(user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
