//! Without a version there is nothing to migrate to.
#![allow(unused)]
use cogency_state::{Error, Migrations, robust};

fn migrations() -> Migrations {
    Migrations::new().step(1, Ok)
}

#[robust(persist = "file", migrate = migrations)]
async fn chat(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
