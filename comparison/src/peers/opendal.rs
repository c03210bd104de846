//! opendal: a chat in an object, here a file.

use opendal::Operator;
use opendal::services::Fs;

use crate::chat::{Chat, Turn};
use crate::contestant::{Outcome, Store};

pub(crate) struct Objects(Operator);

impl Objects {
    /// It writes beside the file and renames, so that readers see a whole one.
    pub(crate) fn in_folder(folder: &str) -> Outcome<Self> {
        let service = Fs::default().root(folder).atomic_write_dir(&format!("{folder}/.tmp"));
        Ok(Self(Operator::new(service)?))
    }
}

impl Store for Objects {
    async fn first(&self, key: &str, chat: &Chat) -> Outcome<()> {
        self.0.write(&format!("{key}.json"), chat.json()).await?;
        Ok(())
    }

    async fn turn(&self, key: &str, turn: Turn) -> Outcome<()> {
        let path = format!("{key}.json");
        let json = self.0.read(&path).await?.to_bytes();
        let mut chat: Chat = serde_json::from_slice(&json)?;
        turn(&mut chat);
        self.0.write(&path, serde_json::to_vec(&chat)?).await?;
        Ok(())
    }
}
