//! A body that does not parse is for rustc to report.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn chat(state: &mut Vec<String>, user_id: &str) -> Result<usize, Error> {
    let turns = state.;
    Ok(turns)
}

fn main() {}
