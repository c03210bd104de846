//! `&self`, `&mut self`, `self`, `Arc<Self>`, `Box<Self>` and `Pin<&mut Self>`.
use std::pin::Pin;
use std::sync::Arc;

use cogency_state::{Error, robust};

#[derive(Clone, Default)]
struct Agent {
    id: String,
    calls: u32,
}

impl Agent {
    #[robust(persist = "memory", key = self.id, retry = 2)]
    async fn shared(&self, state: &mut u32, by: u32) -> Result<u32, Error> {
        *state += by;
        Ok(*state)
    }

    #[robust(persist = "memory", key = self.id)]
    async fn mutable(&mut self, state: &mut u32) -> Result<u32, Error> {
        self.calls += 1;
        *state += self.calls;
        Ok(*state)
    }

    #[robust(persist = "memory", key = self.id)]
    async fn value(mut self, state: &mut u32) -> Result<Self, Error> {
        self.calls += *state;
        Ok(self)
    }

    #[robust(persist = "memory", key = self.id)]
    async fn arc(self: Arc<Self>, state: &mut u32) -> Result<u32, Error> {
        *state += 1;
        let agent = self;
        Ok(*state + agent.calls)
    }

    #[robust(persist = "memory", key = self.id, retry = 2)]
    async fn arc_again(self: Arc<Self>, state: &mut u32) -> Result<Arc<Self>, Error> {
        *state += self.calls;
        Ok(Arc::clone(&self))
    }

    #[robust(persist = "memory", key = self.id)]
    async fn boxed(self: Box<Self>, state: &mut u32) -> Result<u32, Error> {
        *state += 1;
        Ok(*state + self.calls)
    }

    #[robust(persist = "memory", key = self.id, retry = 2)]
    async fn by_path(self: &Arc<Self>, state: &mut u32) -> Result<u32, Error> {
        *state += 1;
        Ok(*state)
    }

    #[robust(persist = "memory", key = self.id)]
    async fn pinned(mut self: Pin<&mut Self>, state: &mut u32) -> Result<u32, Error> {
        self.as_mut().calls += 1;
        Ok(*state + self.calls)
    }

    #[robust(persist = "memory", key = id)]
    async fn associated(state: &mut u32, id: &str) -> Result<Self, Error> {
        Ok(Self { id: id.to_owned(), calls: *state })
    }
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut agent = Agent { id: "alice".to_owned(), calls: 0 };
    assert_eq!(assert_send(agent.shared(2)).await?, 2);
    assert_eq!(assert_send(agent.mutable()).await?, 3);
    assert_eq!(assert_send(Pin::new(&mut agent).pinned()).await?, 5);
    let agent = assert_send(agent.value()).await?;
    assert_eq!(agent.calls, 5);
    let agent = Arc::new(agent);
    assert_eq!(assert_send(Arc::clone(&agent).arc()).await?, 9);
    assert_eq!(assert_send(Arc::clone(&agent).arc_again()).await?.calls, 5);
    assert_eq!(assert_send(agent.by_path()).await?, 10);
    assert_eq!(assert_send(Box::new(Agent::clone(&agent)).boxed()).await?, 16);
    assert_eq!(assert_send(Agent::associated("alice")).await?.calls, 11);
    Ok(())
}
