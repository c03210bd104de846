//! The state of a chat, and one turn of it.

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
        let messages = (0..bytes / 232).map(|_| Message::new()).collect();
        Self { messages, turns: 0 }
    }

    pub(crate) fn turn(&mut self) {
        self.turns += 1;
        self.messages.remove(0);
        self.messages.push(Message::new());
    }
}

impl Message {
    fn new() -> Self {
        Self {
            role: "user".into(),
            content: "All happy families are alike. ".repeat(7)[..200].into(),
        }
    }
}
