//! A value needs the name of its argument.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust("file")]
async fn chat(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(3)]
async fn again() -> Result<(), Error> {
    Ok(())
}

fn main() {}
