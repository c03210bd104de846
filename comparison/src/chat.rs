//! The state: a conversation.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// What a turn adds where latency is measured.
const MESSAGE: usize = 200;
/// What it adds to a conversation of 500 turns that grows to 300 KB.
const LONG_MESSAGE: usize = 565;
/// So many messages are added before they are taken back, so that a state keeps its size.
const ROOM: usize = 5;

#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Chat {
    topic: String,
    messages: Vec<Message>,
    /// Where a conversation that keeps its size is cut back to.
    cut_at: Option<usize>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Message {
    role: String,
    content: String,
}

/// What a cycle does to the state between its load and its save.
pub(crate) type Turn = fn(&mut Chat);

impl Chat {
    /// One that takes so many bytes of JSON, more or less.
    pub(crate) fn of_bytes(bytes: usize) -> Self {
        let mut chat = Self { topic: "all happy families".into(), ..Self::default() };
        let empty = chat.json().len();
        let each = Message::of_bytes(MESSAGE).json().len() + 1;
        let count = bytes.saturating_sub(empty) / each;
        chat.messages = (0..count).map(|_| Message::of_bytes(MESSAGE)).collect();
        chat.cut_at = Some(count);
        chat
    }

    /// Adds a message. Each time that there are five, the next turn takes them back first.
    pub(crate) fn turn(&mut self) {
        if let Some(count) = self.cut_at.filter(|count| self.messages.len() >= count + ROOM) {
            self.messages.truncate(count);
        }
        self.messages.push(Message::of_bytes(MESSAGE));
    }

    /// Adds one of 500 messages that make 300 KB.
    pub(crate) fn long_turn(&mut self) {
        self.messages.push(Message::of_bytes(LONG_MESSAGE));
    }

    pub(crate) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Words that no compression foresees, more or less as those of a language.
static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = String::new();
    while text.len() < 1 << 20 {
        text.extend((0..fastrand::usize(2..9)).map(|_| fastrand::lowercase()));
        text.push(' ');
    }
    text
});

impl Message {
    fn of_bytes(bytes: usize) -> Self {
        let from = fastrand::usize(..TEXT.len() - bytes);
        Self { role: "user".into(), content: TEXT[from..from + bytes].into() }
    }

    fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}
