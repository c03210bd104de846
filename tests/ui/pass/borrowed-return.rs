//! What is returned may borrow from an argument, or from `self`.
use cogency_state::{Error, robust};

struct Agent {
    id: String,
}

impl Agent {
    #[robust(persist = "memory", key = self.id, retry = 2)]
    async fn id(&self, state: &mut u32) -> Result<&str, Error> {
        *state += 1;
        Ok(&self.id)
    }
}

/// The state does not count where lifetimes are elided: this borrows from `text`.
#[robust(persist = "memory", key = 7)]
async fn first_word(state: &mut u32, text: &str) -> Result<&str, Error> {
    *state += 1;
    Ok(text.split(' ').next().unwrap_or(text))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let agent = Agent { id: "alice".to_owned() };
    assert_eq!(agent.id().await?, "alice");
    assert_eq!(first_word("two words").await?, "two");
    Ok(())
}
