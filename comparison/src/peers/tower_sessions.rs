//! tower-sessions: a chat in a session of a web server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tower_sessions_core::session::Id;
use tower_sessions_core::{Session, SessionStore};

use crate::chat::{Chat, Turn};
use crate::contestant::{Outcome, Store};

/// The key within the session.
const NAME: &str = "chat";

/// Any of its stores.
pub(crate) struct Sessions<S> {
    store: Arc<S>,
    /// It names its sessions itself; a browser would keep them.
    ids: Mutex<HashMap<String, Id>>,
}

impl<S: SessionStore> Sessions<S> {
    pub(crate) fn in_store(store: S) -> Self {
        Self { store: Arc::new(store), ids: Mutex::default() }
    }

    fn session(&self, key: &str) -> Session {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        Session::new(ids.get(key).copied(), Arc::clone(&self.store), None)
    }
}

impl<S: SessionStore> Store for Sessions<S> {
    async fn first(&self, key: &str, chat: &Chat) -> Outcome<()> {
        let session = self.session(key);
        session.insert(NAME, chat).await?;
        session.save().await?;
        let id = session.id().ok_or("a saved session without an id")?;
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), id);
        Ok(())
    }

    async fn turn(&self, key: &str, turn: Turn) -> Outcome<()> {
        let session = self.session(key);
        let mut chat: Chat = session.get(NAME).await?.ok_or("the session is gone")?;
        turn(&mut chat);
        session.insert(NAME, chat).await?;
        session.save().await?;
        Ok(())
    }
}
