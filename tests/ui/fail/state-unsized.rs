//! What is loaded has a size.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn object(state: &mut dyn std::any::Any, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "memory")]
async fn slice(state: &mut [u32], user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "memory")]
async fn text(state: &mut str, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
