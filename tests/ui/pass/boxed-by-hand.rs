//! A function that boxes its future itself is as good as an async one.
use std::future::Future;
use std::pin::Pin;

use cogency_state::{Error, robust};

#[robust(persist = "memory", retry = 2, backoff = "1ms")]
fn count<'a>(
    state: &mut u32,
    user_id: &'a str,
    by: u32,
) -> Pin<Box<dyn Future<Output = Result<u32, Error>> + Send + 'a>> {
    let by = by * 2;
    std::boxed::Box::pin(async move {
        *state += by;
        Ok(*state)
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    assert_eq!(tokio::spawn(count("alice", 1)).await.unwrap()?, 2);
    Ok(())
}
