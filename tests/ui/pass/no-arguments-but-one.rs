//! Each of `retry`, `timeout` and `persist` is enough.
use std::cell::Cell;
use std::time::Duration;

use cogency_state::{Error, robust};

#[robust(retry = 3, backoff = "1ms")]
async fn flaky(calls: &Cell<u32>) -> Result<u32, Error> {
    calls.set(calls.get() + 1);
    if calls.get() < 3 { Err(Error::NoRuntime) } else { Ok(calls.get()) }
}

#[robust(timeout = "10ms")]
async fn slow() -> Result<(), Error> {
    tokio::time::sleep(Duration::from_secs(60)).await;
    Ok(())
}

#[robust(retry = 1)]
async fn once(calls: &Cell<u32>) -> Result<(), Error> {
    calls.set(calls.get() + 1);
    Err(Error::NoRuntime)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_eq!(flaky(&Cell::new(0)).await.unwrap(), 3);
    assert!(matches!(slow().await, Err(Error::Timeout { .. })));
    let calls = Cell::new(0);
    assert!(once(&calls).await.is_err());
    assert_eq!(calls.get(), 1);
}
