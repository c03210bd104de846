//! What a failed attempt did to `self` stays.
#![allow(unused)]
use cogency_state::{Error, robust};

struct Agent(u32);

impl Agent {
    #[robust(retry = 2)]
    async fn chat(&mut self) -> Result<(), Error> {
        self.0 += 1;
        Ok(())
    }

    #[robust(retry = 2)]
    async fn typed(self: &mut Self) -> Result<(), Error> {
        self.0 += 1;
        Ok(())
    }

    #[robust(retry = 2)]
    async fn pinned(self: std::pin::Pin<&mut Self>) -> Result<(), Error> {
        Ok(())
    }
}

fn main() {}
