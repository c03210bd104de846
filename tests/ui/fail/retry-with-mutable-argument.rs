//! What a failed attempt did to a borrowed argument stays.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(retry = 2)]
async fn chat(seen: &mut Vec<u32>) -> Result<(), Error> {
    seen.push(1);
    Ok(())
}

#[robust(persist = "memory", retry = 2)]
async fn inside(
    state: &mut u32,
    user_id: &str,
    seen: Option<&mut Vec<u32>>,
) -> Result<(), Error> {
    Ok(())
}

#[robust(retry = 2)]
async fn by_ref_mut(ref mut seen: Vec<u32>) -> Result<(), Error> {
    seen.push(1);
    Ok(())
}

fn main() {}
