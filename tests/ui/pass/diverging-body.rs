//! A body that never gives a value makes no warnings.
#![deny(warnings)]
use cogency_state::{Error, robust};

#[robust(persist = "memory")]
async fn unfinished(_state: &mut u32, user_id: &str) -> Result<u32, Error> {
    todo!("another day")
}

#[robust(retry = 2)]
async fn endless() -> Result<u32, Error> {
    loop {
        std::future::pending::<()>().await;
    }
}

#[robust(timeout = "5ms")]
async fn returns() -> Result<std::convert::Infallible, Error> {
    return Err(Error::NoRuntime);
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert!(tokio::spawn(unfinished("alice")).await.unwrap_err().is_panic());
    let endless = tokio::time::timeout(std::time::Duration::from_millis(5), endless());
    assert!(endless.await.is_err());
    assert!(returns().await.is_err());
}
