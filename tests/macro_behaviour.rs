//! What only a test can show of the attribute: `#[robust]` above `#[tokio::test]`.

use cogency_state::{Error, robust};

#[robust(persist = "memory", key = "above tokio::test", retry = 2, backoff = "1ms")]
#[tokio::test]
async fn a_test_has_a_state(state: &mut Vec<u32>) -> Result<(), Error> {
    state.push(1);
    assert_eq!(*state, [1]);
    Ok(())
}
