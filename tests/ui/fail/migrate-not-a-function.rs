//! The steps are asked for when a state needs them, so it is the function that is named.
#![allow(unused)]
use cogency_state::{Error, Migrations, robust};

fn migrations() -> Migrations {
    Migrations::new().step(1, Ok)
}

#[robust(persist = "file", version = 2, migrate = migrations())]
async fn called(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "file", version = 2, migrate = "migrations")]
async fn in_quotes(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
