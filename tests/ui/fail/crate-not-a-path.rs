//! `crate` takes a path.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(retry = 2, crate = "cogency_state")]
async fn string() -> Result<(), Error> {
    Ok(())
}

#[robust(retry = 2, crate = <u8 as Default>::cogency_state)]
async fn qualified() -> Result<(), Error> {
    Ok(())
}

#[robust(retry = 2, crate = cogency_state::<u8>)]
async fn generic() -> Result<(), Error> {
    Ok(())
}

fn main() {}
