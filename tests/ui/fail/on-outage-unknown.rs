//! What happens in an outage is one of three words, without quotes.
use cogency_state::{Error, robust};

#[robust(persist = "memory", on_outage = ignore)]
async fn misspelled(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(persist = "memory", on_outage = "spool")]
async fn quoted(state: &mut u32, user_id: &str) -> Result<(), Error> {
    Ok(())
}

#[robust(retry = 2, on_outage = spool)]
async fn without_a_state(user_id: &str) -> Result<(), Error> {
    Ok(())
}

fn main() {}
