//! A function without a body does nothing that could be kept.
#![allow(unused)]
use cogency_state::{Error, robust};

trait Agent {
    #[robust(persist = "memory")]
    async fn chat(&self, state: &mut u32, user_id: &str) -> Result<(), Error>;
}

fn main() {}
