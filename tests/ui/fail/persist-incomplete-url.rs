//! A URL that does not say where.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "file:")]
async fn file(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "file:?process=a")]
async fn no_folder(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "file://")]
async fn only_slashes(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "memory:agents")]
async fn memory(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "redis:host")]
async fn redis(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "redis+cluster://")]
async fn redis_cluster(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "redis+sentinel://user:secret@host,host")]
async fn redis_sentinel(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "postgres://")]
async fn postgres(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "file:a\0b")]
async fn nul(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
