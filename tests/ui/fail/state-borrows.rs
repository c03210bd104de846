//! A state outlives the program, so it borrows nothing.
#![allow(unused)]
use cogency_state::{Error, robust};

struct Chat<'a>(&'a str);

#[robust(persist = "memory")]
async fn named<'a>(state: &mut Chat<'a>, user_id: &'a str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "memory")]
async fn elided(state: &mut Vec<&str>, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
