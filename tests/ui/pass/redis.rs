//! `redis` by name and by URL. It connects with the first call.
#![allow(unused)]
use cogency_state::{Error, robust};

#[robust(persist = "redis")]
async fn by_name(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[robust(persist = "redis://127.0.0.1:1/0?prefix=agents&lease_ttl=2s")]
async fn by_url(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[robust(persist = "rediss://user:password@127.0.0.1:1")]
async fn with_tls(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[robust(persist = "redis+unix:///nowhere/redis.sock")]
async fn by_socket(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[robust(persist = "redis+sentinel://127.0.0.1:1,127.0.0.1:2/mymaster/0?require=replicas(1)")]
async fn by_sentinels(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[robust(persist = "rediss+cluster://user:password@127.0.0.1:1,127.0.0.1:2")]
async fn by_cluster(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[robust(persist = "redis://127.0.0.1?no_such=parameter")]
async fn misspelled(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let error = misspelled("alice").await.unwrap_err();
    assert!(matches!(error, Error::Config { .. }), "{error}");
}
