//! The memory backend against a map of bytes.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Mutex;

use cogency_state::{MemoryBackend, StateManager};
use criterion::Criterion;
use tokio::runtime::Runtime;

use crate::chat::Chat;
use crate::pairs::Pairs;
use crate::{Size, call, prepare};

#[derive(Default)]
struct Floor(Mutex<HashMap<String, Vec<u8>>>);

impl Floor {
    fn save(&self, key: &str, chat: &Chat) {
        let json = serde_json::to_vec(chat).expect("a chat is JSON");
        self.0.lock().expect("not poisoned").insert(key.to_owned(), json);
    }

    fn call(&self, key: &str) {
        let json = self.0.lock().expect("not poisoned").get(key).cloned();
        let mut chat: Chat = json
            .map_or_else(Chat::default, |json| serde_json::from_slice(&json).expect("saved by us"));
        chat.turn();
        self.save(key, &chat);
    }
}

pub(crate) fn pairs(criterion: &mut Criterion, runtime: &Runtime, size: Size) -> Pairs {
    let chat = Chat::of_bytes(size.bytes);
    let floor = Floor::default();
    floor.save("alice", &chat);
    let manager = StateManager::new(MemoryBackend::new());
    runtime.block_on(prepare(&manager, "alice", &chat)).expect("prepared");
    Pairs::bench(
        criterion,
        runtime,
        format!("memory, {}", size.name),
        async || floor.call(black_box("alice")),
        async || call(&manager, black_box("alice")).await.expect("saved"),
    )
}
