//! The number of attempts is written out.
#![allow(unused)]
use cogency_state::{Error, robust};

const ATTEMPTS: u32 = 3;

#[robust(retry = ATTEMPTS)]
async fn constant() -> Result<(), Error> {
    Ok(())
}

#[robust(retry = "3")]
async fn string() -> Result<(), Error> {
    Ok(())
}

#[robust(retry = -1)]
async fn negative() -> Result<(), Error> {
    Ok(())
}

#[robust(retry = 1.5)]
async fn half() -> Result<(), Error> {
    Ok(())
}

fn main() {}
