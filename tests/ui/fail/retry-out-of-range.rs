//! Attempts are counted from 1, and there is an end.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(retry = 0)]
async fn none() -> Result<(), Error> {
    Ok(())
}

#[robust(retry = 1001)]
async fn many() -> Result<(), Error> {
    Ok(())
}

#[robust(retry = 99999999999999999999)]
async fn overflow() -> Result<(), Error> {
    Ok(())
}

fn main() {}
