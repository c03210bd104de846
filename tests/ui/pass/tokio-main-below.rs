//! `#[robust]` stands above `#[tokio::main]`.
use cogency_state::{Error, robust};

#[robust(persist = "memory", key = "alice", retry = 2)]
#[tokio::main(flavor = "current_thread")]
async fn main(state: &mut u32) -> Result<(), Error> {
    *state += 1;
    assert_eq!(*state, 1);
    Ok(())
}
