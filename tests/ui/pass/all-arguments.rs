//! Every argument at once, with a comma at the end.
use cogency_state::{Error, Migrations, robust};

fn migrations() -> Migrations {
    Migrations::new().step(1, Ok)
}

#[robust(
    persist = "memory:",
    key = format!("{tenant}/{user_id}"),
    session = session,
    retry = 2,
    backoff = "0ms",
    timeout = "1m 30s",
    wait = "0s",
    ttl = "7d",
    version = 2,
    migrate = migrations,
    on_outage = fail,
    crate = ::cogency_state,
)]
async fn count(state: &mut u32, tenant: &str, user_id: u64, session: &str) -> Result<u32, Error> {
    *state += 1;
    Ok(*state)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    assert_eq!(count("acme", 7, "a").await?, 1);
    assert_eq!(count("acme", 7, "b").await?, 1);
    assert_eq!(count("acme", 7, "a").await?, 2);
    assert_eq!(count("other", 7, "a").await?, 1);
    Ok(())
}
