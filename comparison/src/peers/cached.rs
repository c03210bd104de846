//! cached: a chat in a cache, of values in memory or of `MessagePack` in a file of redb.

use ::cached::{ConcurrentCachedAsync, RedbCache, ShardedUnboundCache};

use crate::chat::{Chat, Turn};
use crate::contestant::{Outcome, Store};

/// What is gone from a cache that nothing should go from.
const GONE: &str = "the cache has dropped the chat";

pub(crate) struct Values(ShardedUnboundCache<String, Chat>);

impl Values {
    pub(crate) fn new() -> Outcome<Self> {
        Ok(Self(ShardedUnboundCache::builder().build()?))
    }
}

impl Store for Values {
    async fn first(&self, key: &str, chat: &Chat) -> Outcome<()> {
        self.0.set(key.to_owned(), chat.clone());
        Ok(())
    }

    async fn turn(&self, key: &str, turn: Turn) -> Outcome<()> {
        let mut chat = self.0.get(key).ok_or(GONE)?;
        turn(&mut chat);
        self.0.set(key.to_owned(), chat);
        Ok(())
    }
}

pub(crate) struct Disk(RedbCache<String, Chat>);

impl Disk {
    pub(crate) fn in_folder(folder: &str) -> Outcome<Self> {
        Ok(Self(RedbCache::builder("chats").disk_dir(folder).durable(true).build()?))
    }
}

impl Store for Disk {
    async fn first(&self, key: &str, chat: &Chat) -> Outcome<()> {
        self.0.async_cache_set(key.to_owned(), chat.clone()).await?;
        Ok(())
    }

    async fn turn(&self, key: &str, turn: Turn) -> Outcome<()> {
        let key = key.to_owned();
        let mut chat = self.0.async_cache_get(&key).await?.ok_or(GONE)?;
        turn(&mut chat);
        self.0.async_cache_set(key, chat).await?;
        Ok(())
    }
}
