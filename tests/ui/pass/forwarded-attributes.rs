//! Documentation, `cfg`, `deprecated`, `must_use`, lints and visibility reach the function.
#![deny(missing_docs, warnings)]
use cogency_state::Error;

/// An agent's functions.
pub mod agent {
    use cogency_state::{Error, robust};

    /// Documented.
    #[robust(persist = "memory")]
    pub async fn documented(state: &mut u32, user_id: &str) -> Result<u32, Error> {
        #![allow(unused_variables)]
        let unused = 1;
        *state += 1;
        Ok(*state)
    }

    #[robust(persist = "memory")]
    #[cfg(any())]
    /// Gone.
    pub async fn absent(state: &mut u32, user_id: &str) -> Result<NoSuchType, Error> {
        no_such_function()
    }

    #[cfg(any())]
    #[robust(persist = "memory")]
    pub async fn absent(state: &mut u32, user_id: &str) -> Result<NoSuchType, Error> {
        no_such_function()
    }

    /// Old.
    #[robust(persist = "memory")]
    #[deprecated = "old"]
    pub async fn old(state: &mut u32, user_id: &str) -> Result<u32, Error> {
        *state += 1;
        Ok(*state)
    }

    #[must_use = "important"]
    #[robust(persist = "memory")]
    #[expect(clippy::unused_async, unused_variables)]
    pub(super) async fn restricted(_: &mut u32, user_id: &str) -> Result<u32, Error> {
        let unused = 1;
        Ok(7)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    assert_eq!(agent::documented("alice").await?, 1);
    #[expect(deprecated)]
    let old = agent::old("alice").await?;
    assert_eq!(old, 2);
    assert_eq!(agent::restricted("alice").await?, 7);
    Ok(())
}
