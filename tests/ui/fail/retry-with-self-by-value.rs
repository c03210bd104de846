//! The first attempt would use `self` up.
#![allow(unused)]
use cogency_state::{Error, robust};

struct Agent(u32);

impl Agent {
    #[robust(retry = 2)]
    async fn chat(self) -> Result<Self, Error> {
        Ok(self)
    }

    #[robust(retry = 2)]
    async fn typed(mut self: Self) -> Result<u32, Error> {
        self.0 += 1;
        Ok(self.0)
    }
}

fn main() {}
