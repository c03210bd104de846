//! A map of bytes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::turned;
use crate::chat::{Chat, Turn};
use crate::contestant::{Outcome, Store};

#[derive(Default)]
pub(crate) struct Map(Mutex<HashMap<String, Vec<u8>>>);

impl Map {
    fn put(&self, key: &str, json: Vec<u8>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), json);
    }
}

impl Store for Map {
    async fn first(&self, key: &str, chat: &Chat) -> Outcome<()> {
        self.put(key, chat.json());
        Ok(())
    }

    async fn turn(&self, key: &str, turn: Turn) -> Outcome<()> {
        let json = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        let json = json.ok_or("nothing was put there")?;
        self.put(key, turned(&json, turn)?);
        Ok(())
    }
}
