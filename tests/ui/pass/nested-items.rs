//! Functions in functions, and items in the body.
use cogency_state::{Error, robust};

async fn outer(user_id: &str) -> Result<u32, Error> {
    #[robust(persist = "memory")]
    async fn inner(state: &mut u32, user_id: &str) -> Result<u32, Error> {
        const STEP: u32 = 2;

        struct Twice(u32);

        impl Twice {
            fn get(&self) -> u32 {
                self.0 * 2
            }
        }

        fn twice(x: u32) -> u32 {
            return Twice(x).get();
        }

        *state += twice(STEP);
        Ok(*state)
    }

    inner(user_id).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    assert_eq!(outer("alice").await?, 4);
    assert_eq!(outer("alice").await?, 8);
    Ok(())
}
