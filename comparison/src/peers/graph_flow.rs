//! graph-flow: a chat in the context of a workflow's session.

use graph_flow::{Session, SessionStorage};

use crate::chat::{Chat, Turn};
use crate::contestant::{Outcome, Store};

/// The key within the context.
const NAME: &str = "chat";

/// Any of its storages.
pub(crate) struct Workflows<S>(pub(crate) S);

impl<S: SessionStorage + 'static> Store for Workflows<S> {
    async fn first(&self, key: &str, chat: &Chat) -> Outcome<()> {
        let session = Session::new_from_task(key.to_owned(), "chat");
        session.context.set(NAME, chat)?;
        self.0.save(session).await?;
        Ok(())
    }

    async fn turn(&self, key: &str, turn: Turn) -> Outcome<()> {
        let session = self.0.get(key).await?.ok_or("the session is gone")?;
        let mut chat: Chat = session.context.get(NAME).ok_or("the chat is gone")?;
        turn(&mut chat);
        session.context.set(NAME, chat)?;
        self.0.save(session).await?;
        Ok(())
    }
}
