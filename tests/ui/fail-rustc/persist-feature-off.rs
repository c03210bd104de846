//! A backend whose cargo feature is off: the message names the feature.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "database")]
async fn database(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "sqlite")]
async fn sqlite(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "postgresql://host/agents")]
async fn postgres(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "mariadb://host/agents")]
async fn mysql(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
