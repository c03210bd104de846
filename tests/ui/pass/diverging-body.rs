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

#[robust(persist = "memory")]
async fn bails(state: &mut u32, user_id: &str) -> anyhow::Result<u32> {
    *state += 1;
    if *state > 1 {
        return Ok(*state);
    }
    anyhow::bail!("not yet")
}

#[robust(retry = 2)]
async fn panics_in_the_end(fine: bool) -> anyhow::Result<Box<dyn std::fmt::Debug + Send>> {
    if fine {
        return Ok(Box::new(1));
    }
    unreachable!("{fine}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert!(tokio::spawn(unfinished("alice")).await.unwrap_err().is_panic());
    let endless = tokio::time::timeout(std::time::Duration::from_millis(5), endless());
    assert!(endless.await.is_err());
    assert!(returns().await.is_err());
    assert!(bails("bob").await.is_err());
    assert!(panics_in_the_end(true).await.is_ok());
}
