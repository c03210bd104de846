//! All mistakes are reported together, each where it was made.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(
    persist = "flie",
    session 3,
    retry = 0,
    backoff = 100,
    timeout = "soon",
    wait = "1000years",
    crate = "cogency_state",
    color = 1,
    retry = 2,
)]
unsafe fn chat(state: u32, #[cfg(unix)] user: &str, more: &mut u32) {}

fn main() {}
