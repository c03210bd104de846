//! An `Arc<Self>` that an attempt moves is gone for the next one: clone it.
#![allow(unused)]
use cogency_state::{Error, robust};

use std::sync::Arc;

struct Agent;

impl Agent {
    #[robust(retry = 2)]
    async fn chat(self: Arc<Self>) -> Result<(), Error> {
        drop(self);
        Ok(())
    }
}

fn main() {}
