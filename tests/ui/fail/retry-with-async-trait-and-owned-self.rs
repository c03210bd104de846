//! `#[async_trait]` moves `self` into the body, which `retry` needs again.
#![allow(unused)]
use cogency_state::{Error, robust};

use std::sync::Arc;

#[async_trait::async_trait]
trait Agent {
    async fn chat(self: Arc<Self>) -> Result<(), Error>;
}

struct Bot;

#[async_trait::async_trait]
impl Agent for Bot {
    #[robust(retry = 2)]
    async fn chat(self: Arc<Self>) -> Result<(), Error> {
        Ok(())
    }
}

fn main() {}
