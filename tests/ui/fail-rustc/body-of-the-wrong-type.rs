//! A body of the wrong type is shown where it stands.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn forgotten(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    *state += 1;
}

#[robust(persist = "memory", retry = 2)]
async fn early(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    if *state == 1 {
        return *state;
    }
    Ok(*state)
}

fn main() {}
