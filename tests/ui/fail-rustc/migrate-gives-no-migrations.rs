//! `migrate` names a function without arguments that gives the `Migrations`.
#![allow(unused)]
use cogency_state::{Error, robust};

fn migrations() -> u32 {
    2
}

#[robust(persist = "file", version = 2, migrate = migrations)]
async fn chat(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
