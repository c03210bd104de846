//! A version is a number or a constant, and its migrations are a function of any place.
use cogency_state::{Error, Migrations, robust};

const VERSION: u32 = 2;

fn migrations() -> Migrations {
    Migrations::new().step_from(1, |old: u32| Ok(old.to_string()))
}

#[robust(persist = "memory", session = "old")]
async fn uncounted(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    Ok(*state)
}

#[robust(persist = "memory", version = 1)]
async fn old(state: &mut u32, user_id: &str) -> Result<u32, Error> {
    *state += 7;
    Ok(*state)
}

#[robust(persist = "memory", version = VERSION, migrate = migrations)]
async fn new(state: &mut String, user_id: &str) -> Result<String, Error> {
    Ok(state.clone())
}

struct Agent;

impl Agent {
    const VERSION: u32 = 2;

    fn migrations<T>() -> Migrations {
        migrations()
    }

    #[robust(persist = "memory", version = Self::VERSION, migrate = Self::migrations::<String>)]
    async fn new(&self, state: &mut String, user_id: &str) -> Result<String, Error> {
        Ok(state.clone())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    assert_eq!(uncounted("alice").await?, 0);
    assert_eq!(old("alice").await?, 7);
    assert_eq!(new("alice").await?, "7");
    assert_eq!(Agent.new("alice").await?, "7");
    assert!(matches!(old("alice").await, Err(Error::StateType { .. })));
    Ok(())
}
