//! This library, as a user of it writes a call.

use cogency_state::{Error, FileBackend, StateBackend, StateKey, StateManager, robust};

use crate::chat::{Chat, Turn};
use crate::contestant::{Outcome, Store};

pub(crate) struct Ours(StateManager);

impl Ours {
    pub(crate) fn over(backend: impl StateBackend) -> Self {
        Self(StateManager::new(backend))
    }
}

impl Store for Ours {
    async fn first(&self, key: &str, chat: &Chat) -> Outcome<()> {
        self.0.save_state(&StateKey::for_user(key)?, chat.clone(), None).await?;
        Ok(())
    }

    async fn turn(&self, key: &str, turn: Turn) -> Outcome<()> {
        Ok(call(&self.0, key, turn).await?)
    }
}

#[robust(persist = manager)]
async fn call(
    state: &mut Chat,
    manager: &StateManager,
    user_id: &str,
    turn: Turn,
) -> Result<(), Error> {
    turn(state);
    Ok(())
}

/// Files whose readable copy is written after each turn, as it is where turns are seconds apart.
pub(crate) struct Copied {
    ours: Ours,
    backend: FileBackend,
}

impl Copied {
    pub(crate) fn over(backend: FileBackend) -> Self {
        Self { ours: Ours::over(backend.clone()), backend }
    }
}

impl Store for Copied {
    async fn first(&self, key: &str, chat: &Chat) -> Outcome<()> {
        Store::first(&self.ours, key, chat).await
    }

    async fn turn(&self, key: &str, turn: Turn) -> Outcome<()> {
        self.ours.turn(key, turn).await?;
        Ok(self.backend.write_copy(&StateKey::for_user(key)?).await?)
    }
}
