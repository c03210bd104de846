//! A parameter is there or not there for callers and key alike.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn chat(
    state: &mut u32,
    user_id: &str,
    #[cfg_attr(all(), allow(dead_code))] more: u32,
) -> Result<(), Error> {
    Ok(())
}

fn main() {}
