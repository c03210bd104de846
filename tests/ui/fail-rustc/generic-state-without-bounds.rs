//! The bounds of a generic state are written out.
#![allow(unused)]
use cogency_state::{Error, robust};

use serde::Serialize;
use serde::de::DeserializeOwned;

#[robust(persist = "memory")]
async fn chat<S>(state: &mut S, user_id: &str) -> Result<(), Error>
where
    S: Serialize + DeserializeOwned + Send + 'static,
{
    Ok(())
}

#[robust(persist = "memory")]
async fn borrowing<S>(state: &mut S, user_id: &str) -> Result<(), Error>
where
    S: Default + Serialize + DeserializeOwned + Send,
{
    Ok(())
}

fn main() {}
