//! `return`, labelled loops and breaks with a value mean what they mean elsewhere, with and
//! without `retry`.
use cogency_state::{Error, robust};

#[robust(persist = "memory", retry = 2, backoff = "1ms")]
async fn early(state: &mut u32, user_id: &str, stop: bool) -> Result<&'static str, Error> {
    *state += 1;
    if stop {
        return Ok("stopped");
    }
    Ok("went on")
}

#[robust(persist = "memory")]
async fn labelled(state: &mut u32, user_id: &str, limit: u32) -> Result<u32, Error> {
    'rows: for row in 0.. {
        for column in 0..row {
            *state += 1;
            if column == 1 {
                continue 'rows;
            }
            if row == limit {
                break 'rows;
            }
        }
    }
    let doubled = loop {
        if *state % 2 == 0 {
            break *state;
        }
        *state += 1;
    };
    Ok(doubled)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    assert_eq!(early("alice", true).await?, "stopped");
    assert_eq!(early("alice", false).await?, "went on");
    assert_eq!(labelled("bob", 3).await?, 4);
    Ok(())
}
