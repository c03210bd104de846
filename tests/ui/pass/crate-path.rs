//! A renamed or re-exported crate: nothing in scope is called `cogency_state`.
mod my_agents {
    pub use ::cogency_state as kept;
}

mod cogency_state {}

mod inner {
    #[super::my_agents::kept::robust(persist = "memory", crate = super::my_agents::kept)]
    pub async fn count(
        state: &mut u32,
        user_id: &str,
    ) -> Result<u32, super::my_agents::kept::Error> {
        *state += 1;
        Ok(*state)
    }

    #[crate::my_agents::kept::robust(retry = 2, crate = crate::my_agents::kept)]
    pub async fn retried() -> Result<(), crate::my_agents::kept::Error> {
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_eq!(inner::count("alice").await.unwrap(), 1);
    inner::retried().await.unwrap();
}
