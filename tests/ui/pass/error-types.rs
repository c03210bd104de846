//! Any error that can be made from a `cogency_state::Error` will do, behind any alias.
use cogency_state::{Error, robust};

type Fallible<T = ()> = std::result::Result<T, Error>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[robust(persist = "memory")]
async fn own(state: &mut u8, user_id: &str) -> Result<u8, Error> {
    *state += 1;
    Ok(*state)
}

#[robust(persist = "memory")]
async fn alias(state: &mut u8, user_id: &str) -> Fallible {
    *state += 1;
    Ok(())
}

#[robust(persist = "memory")]
async fn anyhow(state: &mut u8, user_id: &str, number: &str) -> anyhow::Result<u8> {
    use anyhow::Context as _;
    let number: u8 = number.parse().context("not a number")?;
    anyhow::ensure!(number < 10, "{number} is too large");
    *state += number;
    Ok(*state)
}

#[robust(persist = "memory")]
async fn boxed(state: &mut u8, user_id: &str, number: &str) -> Result<u8, BoxError> {
    let number: u8 = number.parse()?;
    if number > 9 {
        return Err("too large".into());
    }
    *state += number;
    Ok(*state)
}

#[robust(persist = "memory")]
async fn local(state: &mut u8, user_id: &str) -> Result<u8, Box<dyn std::error::Error>> {
    *state += "1".parse::<u8>()?;
    Ok(*state)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_eq!(own("error-types").await.unwrap(), 1);
    alias("error-types").await.unwrap();
    assert_eq!(anyhow("error-types", "1").await.unwrap(), 3);
    assert_eq!(anyhow("error-types", "x").await.unwrap_err().to_string(), "not a number");
    assert_eq!(anyhow("error-types", "10").await.unwrap_err().to_string(), "10 is too large");
    assert_eq!(boxed("error-types", "1").await.unwrap(), 4);
    assert_eq!(boxed("error-types", "10").await.unwrap_err().to_string(), "too large");
    assert_eq!(local("error-types").await.unwrap(), 5);
    assert!(anyhow("", "1").await.unwrap_err().is::<Error>());
    assert!(boxed("", "1").await.unwrap_err().is::<Error>());
}
