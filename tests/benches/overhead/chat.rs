//! The state of a chat, and one turn of it.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Chat {
    messages: Vec<Message>,
    turns: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Message {
    role: String,
    content: String,
}

impl Chat {
    pub(crate) fn of_bytes(bytes: usize) -> Self {
        let messages = (0..bytes / 232).map(Message::new).collect();
        Self { messages, turns: 0 }
    }

    pub(crate) fn turn(&mut self) {
        self.turns += 1;
        self.messages.remove(0);
        self.messages.push(Message::new(self.turns + 1_000_000));
    }
}

impl Message {
    /// No two are alike: a server that logs only where a row changed would log next to nothing.
    fn new(nth: impl Display) -> Self {
        let content = format!("{nth:<10}{}", &"All happy families are alike. ".repeat(7)[..190]);
        Self { role: "user".into(), content }
    }
}
