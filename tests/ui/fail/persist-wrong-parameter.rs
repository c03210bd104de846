//! A `file:` URL has one parameter, with a value.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "file:data?proces=a")]
async fn misspelled(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "file:data?mode=0600")]
async fn other(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "file:data?process=")]
async fn no_value(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "file:data?process")]
async fn no_equals_sign(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "file:data?")]
async fn nothing(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
