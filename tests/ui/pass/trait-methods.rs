//! Native async functions in traits: an implementation, and a default method.
use cogency_state::{Error, robust};

trait Agent {
    fn id(&self) -> String;

    async fn count(&self) -> Result<u32, Error>;

    #[robust(persist = "memory", key = self.id(), retry = 2, backoff = "1ms")]
    async fn add(&self, state: &mut u32, by: u32) -> Result<u32, Error> {
        *state += by;
        Ok(*state)
    }
}

struct Named(&'static str);

impl Agent for Named {
    fn id(&self) -> String {
        self.0.to_owned()
    }

    #[robust(persist = "memory", key = self.0)]
    async fn count(&self, state: &mut u32) -> Result<u32, Error> {
        *state += 1;
        Ok(*state)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    assert_eq!(Named("alice").count().await?, 1);
    assert_eq!(Named("alice").add(10).await?, 11);
    Ok(())
}
